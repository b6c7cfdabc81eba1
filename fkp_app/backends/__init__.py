"""What runs a network: NumPy, PyTorch, or OpenCV with ONNX."""
