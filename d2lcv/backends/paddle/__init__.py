"""The PaddlePaddle column: the only place of the package that imports paddle."""

import warnings

# Paddle warns of a missing compiler cache, and at every batch norm in training
warnings.filterwarnings("ignore", message="No ccache found")
warnings.filterwarnings("ignore", message="When training, we now always track global")
