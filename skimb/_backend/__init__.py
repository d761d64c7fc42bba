"""Access to private and process-wide state of TensorFlow, Keras and scikeras."""
