"""Which files FFmpeg may open for us: those that hold their pictures themselves.

FFmpeg also knows playlists, which name other files or addresses that it would read or fetch (HLS, DASH, SDP, its own
lists), and series of pictures (`%03d` in a name). None of them is opened, whatever a file is called.
"""

from fkp_app.media.video.codecs import MAX_SIDE

FORMATS = (
    *("mov", "matroska", "avi", "asf", "flv", "ogg", "mpegts", "mpeg", "mxf", "gxf", "dv", "rm", "wtv", "nut", "nuv"),
    *("h261", "h263", "h264", "hevc", "vvc", "av1", "obu", "ivf", "vc1", "vc1test", "m4v", "mpegvideo", "mjpeg"),
    *("dirac", "dnxhd", "yuv4mpegpipe", "gif", "apng", "swf", "smjpeg", "mpjpeg", "dhav", "pva", "nsv", "ty", "lxf"),
    *("aac", "ac3", "flac", "mp3", "wav"),  # sound alone, so that it can be said
)
OPTIONS = {
    "format_whitelist": ",".join(FORMATS),
    "protocol_whitelist": "file",
    "max_pixels": str(MAX_SIDE * MAX_SIDE),  # also of the frames that are decoded to find out what a file holds
}
"""As FFmpeg calls what it may do."""
