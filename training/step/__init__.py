"""One step of training: the batch, the loss, the gradients, the weights moved."""
