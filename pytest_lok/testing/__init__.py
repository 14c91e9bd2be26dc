"""For those who add backends: the contract that each of them keeps."""
