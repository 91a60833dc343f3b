"""Layers in PyTorch, where its conventions are not those of the others."""

from torch import nn
from torch.nn import functional as F

__all__ = ["BatchNorm2d", "GappedConv2d"]


class BatchNorm2d(nn.BatchNorm2d):
    """Keeps the biased running variance, and takes one value per channel, too."""

    def forward(self, input):
        if not (self.training and self.track_running_stats):
            return super().forward(input)
        n = input.numel() // input.shape[1]
        if n == 1:
            return self._of_one_value(input)
        kept = (1 - self.momentum) * self.running_var
        output = super().forward(input)
        # a new tensor, since the backward pass holds on to the one it was given
        self.running_var = kept + (self.running_var - kept) * ((n - 1) / n)
        return output

    def _of_one_value(self, input):
        # PyTorch refuses it; by the formula the mean is the value and the variance 0
        mean = input.mean((0, 2, 3))
        kept = 1 - self.momentum
        self.running_mean = kept * self.running_mean + self.momentum * mean.detach()
        self.running_var = kept * self.running_var
        scale = self.weight / self.eps**0.5
        return (input - mean[:, None, None]) * scale[:, None, None] + self.bias[
            :, None, None
        ]


class GappedConv2d(nn.Conv2d):
    """Its stride may be larger than its kernel, and leave rows and columns out."""

    def forward(self, input):
        (k, s), p = (self.kernel_size[0], self.stride[0]), self.padding[0]
        if k >= s:
            return super().forward(input)
        # where the last rows of few channels are left out, the gradient of PyTorch (2.15,
        # channels last) writes past its memory: they are not padded, or are cut off
        below, right = (p - (n + 2 * p - k) % s for n in input.shape[2:])
        around = F.pad(input, (p, right, p, below))
        return F.conv2d(around, self.weight, self.bias, s)
