"""Layers in PaddlePaddle: its conventions are those of the package, but for one."""

from paddle import nn

__all__ = ["BatchNorm2d"]


class BatchNorm2d(nn.BatchNorm2D):
    """Takes one value per channel, too."""

    def forward(self, input):
        B, _, H, W = input.shape
        if not (self.training and B * H * W == 1):
            return super().forward(input)
        # Paddle passes it on; by the formula the mean is the value and the variance 0
        mean, kept = input.mean((0, 2, 3)), self._momentum
        self._mean.set_value(kept * self._mean + (1 - kept) * mean.detach())
        self._variance.set_value(kept * self._variance)
        scale = self.weight / self._epsilon**0.5
        output = (input - mean.reshape((-1, 1, 1))) * scale.reshape((-1, 1, 1))
        return output + self.bias.reshape((-1, 1, 1))
