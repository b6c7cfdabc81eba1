"""Networks as ONNX files, and OpenCV, which runs them."""
