"""Reaching the weights of a PyTorch net; its layout is the canonical one."""

from dataclasses import dataclass

import torch
from torch import nn

__all__ = ["EXPORTS_BOXES", "Slot", "export", "manual_seed", "slots"]

EXPORTS_BOXES = True


def manual_seed(n, net=None):
    torch.manual_seed(n)


@dataclass
class Slot:
    """One tensor of a net, read and written as a NumPy array in the canonical layout."""

    tensor: torch.Tensor

    @property
    def shape(self):
        return tuple(self.tensor.shape)

    def get(self):
        return self.tensor.detach().cpu().float().numpy().copy()

    def put(self, array):
        with torch.no_grad():
            self.tensor.copy_(torch.from_numpy(array))


def slots(net):
    # the count of batches seen is torch's own and has no use with a fixed momentum
    return {
        name: Slot(tensor)
        for name, tensor in net.state_dict(keep_vars=True).items()
        if not name.endswith("num_batches_tracked")
    }


class Program(nn.Module):
    def __init__(self, net, before, after):
        super().__init__()
        self.net, self.before, self.after = net, before, after

    def forward(self, images):
        channels = self.before(images.float().unbind(-1))
        return self.after(self.net(torch.stack(channels, 1)))


def export(net, path, images, before, after):
    modes = {module: module.training for module in net.modules()}
    batch = torch.export.Dim("batch") if len(images) > 1 else None
    program = Program(net, before, after).eval()
    try:
        with torch.no_grad():  # a program that turns gradients off cannot be written
            program = torch.export.export(
                program, (images,), dynamic_shapes=({0: batch},), strict=False
            )
    finally:
        for module, training in modes.items():
            module.training = training
    torch.export.save(program, f"{path}.pt2")
    return f"{path}.pt2"
