"""Layers in PyTorch, where its conventions are not those of the others."""

from torch import nn

__all__ = ["BatchNorm2d"]


class BatchNorm2d(nn.BatchNorm2d):
    """Keeps the biased running variance that the three other frameworks keep."""

    def forward(self, input):
        if not (self.training and self.track_running_stats):
            return super().forward(input)
        kept = (1 - self.momentum) * self.running_var
        output = super().forward(input)
        n = input.numel() // input.shape[1]
        # a new tensor, since the backward pass holds on to the one it was given
        self.running_var = kept + (self.running_var - kept) * ((n - 1) / n)
        return output
