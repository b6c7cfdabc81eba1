"""A network as an ONNX file, and such a file run by OpenCV."""
