"""The formats that FFmpeg may open: files that hold their pictures themselves.

FFmpeg can also read playlists (HLS, DASH, SDP, its own lists), which name other files or addresses that it would read
or fetch, and series of pictures (`%03d` in a name). None of them is opened, whatever the file's name is.
"""

from fkp_app.media.video.codecs import MAX_SIDE

FORMATS = (
    *("mov", "matroska", "avi", "asf", "flv", "ogg", "mpegts", "mpeg", "mxf", "gxf", "dv", "rm", "wtv", "nut", "nuv"),
    *("h261", "h263", "h264", "hevc", "vvc", "av1", "obu", "ivf", "vc1", "vc1test", "m4v", "mpegvideo", "mjpeg"),
    *("dirac", "dnxhd", "yuv4mpegpipe", "gif", "apng", "swf", "smjpeg", "mpjpeg", "dhav", "pva", "nsv", "ty", "lxf"),
    *("aac", "ac3", "flac", "mp3", "wav"),  # sound alone: opened so that the error can say so
)
OPTIONS = {
    "format_whitelist": ",".join(FORMATS),
    "protocol_whitelist": "file",
    "max_pixels": str(MAX_SIDE * MAX_SIDE),  # also holds for frames that FFmpeg decodes to probe a file
}
"""FFmpeg's options for opening a file."""
