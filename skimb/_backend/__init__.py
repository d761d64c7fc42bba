"""Everything that touches private or process-wide parts of TensorFlow, Keras and scikeras."""
