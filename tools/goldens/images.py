"""Images: ResNet, MobileNetV2, ViT, and CLIP with its text."""
import torch, torchvision
from torch import nn
from timm.models._efficientnet_builder import decode_arch_def
from timm.models.efficientnet import EfficientNet
from timm.models.vision_transformer import VisionTransformer
from torchvision.ops.misc import Conv2dNormActivation
from .common import T, VOCAB, double, last_pos, nonzero_biases, wide, write, zeros


def images(*shape):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(7))


def resnet(out, name, x, note, block, widths, blocks, stem):
    m = torchvision.models.resnet.ResNet(block, [1, 1, 1, 1], num_classes=10)
    m.inplanes = stem
    m.conv1 = nn.Conv2d(3, stem, 7, 2, 3, bias=False)
    m.bn1 = nn.BatchNorm2d(stem)
    for i, (width, n) in enumerate(zip(widths, blocks)):
        setattr(m, f"layer{i + 1}", m._make_layer(block, width, n, stride=1 if i == 0 else 2))
    m.fc = nn.Linear(widths[3] * block.expansion, 10)
    m = m.eval(); nonzero_biases(m)
    cfg = dict(stem=stem, widths=widths, blocks=blocks, num_classes=10, bn_eps=1e-5, block=block.__name__)
    last = "conv3" if block.expansion == 4 else "conv2"
    write(out, name, m, cfg, {"x": x}, lambda: m(x), lambda o: o, None,
          ["layer1", "layer2", "layer3", "layer4", "conv1", f"layer4.0.{last}", "avgpool"],
          {"layer2_zero": ("layer2", zeros), "layer1_double": ("layer1", double)}, note)


def hugging_face_resnet(out, name, x, note, **kw):
    c = T.ResNetConfig(**dict(embedding_size=8, hidden_sizes=[16, 24, 32, 40], depths=[1, 2, 1, 1], num_labels=10) | kw)
    m = T.ResNetForImageClassification(c).eval(); nonzero_biases(m)
    write(out, name, m, c.to_dict(), {"x": x}, lambda: m(x), lambda o: o.logits, None,
          [f"resnet.encoder.stages.{i}" for i in range(4)] + ["resnet.embedder.embedder.convolution"],
          {"stage1_zero": ("resnet.encoder.stages.1", zeros), "stage0_double": ("resnet.encoder.stages.0", double)}, note)


def mobilenet_v2(out, name, x, note, last_channel, **kw):
    m = torchvision.models.MobileNetV2(num_classes=10, **kw)
    # Its own is never narrower than 1280.
    m.features[-1] = Conv2dNormActivation(m.features[-1][0].in_channels, last_channel, kernel_size=1, activation_layer=nn.ReLU6)
    m.classifier[1] = nn.Linear(last_channel, 10)
    m = m.eval(); nonzero_biases(m)
    with torch.no_grad():
        # So that some values reach six.
        for bn in m.modules():
            if isinstance(bn, nn.BatchNorm2d):
                bn.weight.mul_(1.5); bn.bias.add_(1)
    cfg = dict(num_classes=10, last_channel=last_channel, bn_eps=1e-5, width_mult=kw.get("width_mult", 1.0), round_nearest=kw.get("round_nearest", 8), inverted_residual_setting=kw["inverted_residual_setting"])
    blocks = [f"features.{i}" for i in range(len(m.features))]
    write(out, name, m, cfg, {"x": x}, lambda: m(x), lambda o: o, None, blocks + ["features.0.0", "features.2.conv.2"],
          {"block2_zero": ("features.2", zeros), "block1_double": ("features.1", double)}, note)


def timm_mobilenet_v2(out, name, x, note, stages, last_channel):
    """stages: as torchvision has them; timm writes them as texts."""
    blocks = decode_arch_def([[f"{'ds' if e == 1 else 'ir'}_r{n}_k3_s{s}" + (f"_e{e}" if e > 1 else "") + f"_c{c}"] for e, c, n, s in stages])
    m = EfficientNet(blocks, num_classes=10, num_features=last_channel, stem_size=32, act_layer=nn.ReLU6).eval(); wide(m); wider(m)
    cfg = dict(num_classes=10, last_channel=last_channel, bn_eps=1e-5, inverted_residual_setting=stages)
    write(out, name, m, cfg, {"x": x}, lambda: m(x), lambda o: o, None, [f"blocks.{i}" for i in range(len(stages))] + ["conv_stem", "blocks.1.0.bn2"],
          {"stage1_zero": ("blocks.1", zeros), "stage0_double": ("blocks.0", double)}, note)


def wider(m):
    """What the first layers give is then still seen in what the last do, and some values reach six."""
    with torch.no_grad():
        for part in m.modules():
            if isinstance(part, nn.Conv2d):
                part.weight.mul_(5 / part.weight[0].numel() ** 0.5)
            if isinstance(part, nn.BatchNorm2d):
                part.weight.mul_(1.5); part.bias.add_(1)


def hugging_face_mobilenet_v2(out, name, x, note, **kw):
    c = T.MobileNetV2Config(**dict(num_labels=10, classifier_dropout_prob=0) | kw)
    m = T.MobileNetV2ForImageClassification(c).eval(); wide(m); wider(m)
    write(out, name, m, c.to_dict(), {"x": x}, lambda: m(x), lambda o: o.logits, None,
          [f"mobilenet_v2.layer.{i}" for i in range(16)] + ["mobilenet_v2.conv_stem", "mobilenet_v2.conv_1x1"],
          {"layer1_zero": ("mobilenet_v2.layer.1", zeros), "stem_double": ("mobilenet_v2.conv_stem", double)}, note)


def vit(out, name, x, note, classify=True, interpolate=False, **kw):
    c = T.ViTConfig(**dict(hidden_size=24, num_hidden_layers=2, num_attention_heads=4, intermediate_size=48, image_size=24, patch_size=8, attn_implementation="eager",
                           num_labels=10, hidden_dropout_prob=0, attention_probs_dropout_prob=0) | kw)
    m = (T.ViTForImageClassification(c) if classify else T.ViTModel(c)).eval(); wide(m)
    at = "vit." if classify else ""
    inputs = dict(pixel_values=x)
    kw = inputs | dict(interpolate_pos_encoding=interpolate)
    write(out, name, m, c.to_dict(), inputs, lambda: m(**kw), lambda o: o.logits if classify else o.last_hidden_state, lambda: m(**kw, output_attentions=True).attentions,
          [f"{at}layers.{i}{s}" for i in range(2) for s in ("", ".attention", ".mlp", ".layernorm_before", ".layernorm_after")] + [f"{at}embeddings", f"{at}embeddings.patch_embeddings"],
          {"l1_attn_zero": (f"{at}layers.1.attention", zeros), "l0_mlp_double": (f"{at}layers.0.mlp", double), "l0_class_zero": (f"{at}layers.0", last_pos)}, note)


def timm_vit(out, name, x, note, **kw):
    m = VisionTransformer(**dict(patch_size=8, embed_dim=24, depth=2, num_heads=4, num_classes=10, fc_norm=False) | kw).eval(); wide(m)
    for block in m.blocks:
        # So that patterns are seen.
        block.attn.fused_attn = False
    cfg = dict(model_type="vit", hidden_size=24, num_hidden_layers=2, num_attention_heads=4, intermediate_size=96, hidden_act="gelu", layer_norm_eps=1e-6,
               image_size=kw["img_size"], patch_size=8, num_channels=3, id2label={str(i): f"LABEL_{i}" for i in range(10)})
    write(out, name, m, cfg, dict(pixel_values=x), lambda: m(x), lambda o: o, None,
          [f"blocks.{i}{s}" for i in range(2) for s in ("", ".attn", ".mlp", ".norm1", ".norm2")] + ["patch_embed"],
          {"l1_attn_zero": ("blocks.1.attn", zeros), "l0_mlp_double": ("blocks.0.mlp", double), "l0_class_zero": ("blocks.0", last_pos)}, note)


def clip(out, name, text, note, text_kw, vision_kw, size=None, mask=None, **kw):
    both = dict(hidden_size=24, intermediate_size=48, num_hidden_layers=2, num_attention_heads=4)
    c = T.CLIPConfig(text_config=dict(vocab_size=VOCAB, max_position_embeddings=12, bos_token_id=0) | both | text_kw,
                     vision_config=dict(image_size=16, patch_size=8) | both | vision_kw, **dict(projection_dim=16, attn_implementation="eager") | kw)
    m = T.CLIPModel(c).eval(); wide(m)
    side = c.vision_config.image_size
    x = images(3, 3, *(size or [side, side]))
    masks = {} if mask is None else dict(attention_mask=mask)
    inputs = dict(input_ids=text, pixel_values=x) | masks
    call = inputs | dict(interpolate_pos_encoding=size is not None)
    def attentions():
        o = m(**call, output_attentions=True)
        return {"vision_attention": o.vision_model_output.attentions, "text_attention": o.text_model_output.attentions}
    o = m(**call)
    towers = [("text_model", 2), ("vision_model", 2)]
    write(out, name, m, c.to_dict(), inputs, lambda: m(**call), lambda o: o.logits_per_image, attentions,
          [f"{t}.encoder.layers.{i}{s}" for t, n in towers for i in range(n) for s in ("", ".self_attn", ".mlp")] + ["visual_projection", "text_projection"],
          {"vision1_attn_zero": ("vision_model.encoder.layers.1.self_attn", zeros), "text0_mlp_double": ("text_model.encoder.layers.0.mlp", double),
           "vision0_class_zero": ("vision_model.encoder.layers.0", last_pos)}, note,
          {"image_embeds": (o.image_embeds, "of the images, divided by their length"), "text_embeds": (o.text_embeds, "of the texts, divided by their length"),
           "vision_pooled": (m.vision_model(x, interpolate_pos_encoding=size is not None).pooler_output, "the class token after the last norm"), "text_pooled": (m.text_model(text, **masks).pooler_output, "the end-of-text token after the last norm")})


def ending(end, pad):
    """Three texts with their ends in different places, and padding after them."""
    text = torch.randint(4, VOCAB - 5, (3, 9), generator=torch.Generator().manual_seed(7))
    text[text == end] = 5
    for row, at in enumerate([8, 4, 6]):
        text[row, at] = end
        text[row, at + 1:] = pad
    return text


def padding():
    """Of `ending`: none in the first text, before and after the second, within the third and after it."""
    mask = torch.ones(3, 9, dtype=torch.long)
    mask[1, :2] = mask[1, 5:] = mask[2, 3] = mask[2, 7:] = 0
    return mask


SMALL = [[1, 8, 1, 1], [6, 8, 2, 2], [4, 16, 2, 2], [6, 24, 1, 1]]

MAKERS = {
    "resnet_bottleneck": lambda o, n: resnet(o, n, images(1, 3, 29, 37), "torchvision's ResNet of Bottlenecks, two in the second stage; images of 29 by 37 pixels.",
                                             torchvision.models.resnet.Bottleneck, [4, 8, 8, 12], [1, 2, 1, 1], 8),
    "resnet_odd": lambda o, n: resnet(o, n, images(1, 3, 45, 30), "torchvision's ResNet of BasicBlocks, two in the first and third stage, and a stem of another width than the first stage; images of 45 by 30 pixels.",
                                      torchvision.models.resnet.BasicBlock, [8, 12, 16, 20], [2, 1, 2, 1], 6),
    "resnet_hugging_face": lambda o, n: hugging_face_resnet(o, n, images(1, 3, 20, 26), "Hugging Face's ResNet of bottlenecks, two in the second stage.", layer_type="bottleneck"),
    "resnet_strides": lambda o, n: hugging_face_resnet(o, n, images(1, 3, 33, 38), "Hugging Face's ResNet of bottlenecks whose first stage has a stride too, strides being those of the first convolutions.",
                                                       layer_type="bottleneck", downsample_in_first_stage=True, downsample_in_bottleneck=True, hidden_sizes=[8, 12, 16, 20], depths=[2, 1, 1, 1]),
    "resnet_strides_basic": lambda o, n: hugging_face_resnet(o, n, images(1, 3, 30, 21), "Hugging Face's ResNet of basic blocks whose first stage has a stride too.",
                                                             layer_type="basic", downsample_in_first_stage=True, hidden_sizes=[8, 8, 12, 16], depths=[1, 2, 1, 1]),
    "mobilenet_v2_same": lambda o, n: hugging_face_mobilenet_v2(o, n, images(1, 3, 22, 35), "Hugging Face's MobileNetV2, padded as in TensorFlow: images of an even and an odd side, which stages halve to both; a tenth as wide, its channels multiples of two, those of the last convolution too.",
                                                                depth_multiplier=0.1, depth_divisible_by=2, min_depth=4, finegrained_output=False),
    "mobilenet_v2_floor": lambda o, n: hugging_face_mobilenet_v2(o, n, images(1, 3, 17, 20), "Hugging Face's MobileNetV2 without TensorFlow's padding, so narrow that the stem and the first block have as many channels, which widens by four; another epsilon.",
                                                                 depth_multiplier=0.05, depth_divisible_by=4, min_depth=8, finegrained_output=False, expand_ratio=4.0, tf_padding=False, layer_norm_eps=1e-2),
    "mobilenet_v2": lambda o, n: mobilenet_v2(o, n, images(1, 3, 14, 18), "torchvision's MobileNetV2 of six blocks and a narrow last convolution.", 40, inverted_residual_setting=SMALL),
    "mobilenet_v2_timm": lambda o, n: timm_mobilenet_v2(o, n, images(1, 3, 14, 18), "timm's MobileNetV2 of six blocks and a narrow last convolution.", SMALL, 40),
    "mobilenet_v2_odd": lambda o, n: mobilenet_v2(o, n, images(1, 3, 13, 11), "torchvision's MobileNetV2, half as wide and rounded to multiples of four; images of 13 by 11 pixels.", 24,
                                                  inverted_residual_setting=[[1, 16, 1, 1], [3, 20, 2, 2], [6, 28, 2, 1], [6, 28, 1, 2]], width_mult=0.5, round_nearest=4),
    "vit": lambda o, n: vit(o, n, images(2, 3, 24, 24), "ViT with its classifier: the first of the last norm's tokens, through a linear layer."),
    "vit_wide": lambda o, n: vit(o, n, images(2, 1, 8, 20), "ViT without a classifier but with the pooler, of images of 8 by 20 pixels with one channel, in patches of 4 by 4; no biases of queries, keys and values, heads of five channels, tanh GELU, another epsilon.",
                                 classify=False, image_size=[8, 20], patch_size=4, num_channels=1, hidden_size=20, qkv_bias=False, hidden_act="gelu_new", layer_norm_eps=1e-3, pooler_output_size=12),
    "vit_timm": lambda o, n: timm_vit(o, n, images(2, 3, 16, 24), "timm's ViT of images of 16 by 24 pixels; its sizes are as Hugging Face has them.", img_size=[16, 24]),
    "vit_interpolated": lambda o, n: vit(o, n, images(2, 3, 32, 43), "ViT of images of 24 by 24 pixels that reads some of 32 by 43, its positions interpolated.", interpolate=True),
    "clip_interpolated": lambda o, n: clip(o, n, ending(VOCAB - 1, 0), "CLIP of images of 16 by 16 pixels that reads some of 28 by 12, its positions interpolated.",
                                           dict(eos_token_id=2, pad_token_id=1), dict(patch_size=4), size=[28, 12]),
    "clip": lambda o, n: clip(o, n, ending(VOCAB - 1, 0), "CLIP as of its first configurations: the end of a text is its largest token.", dict(eos_token_id=2, pad_token_id=1), {}),
    "clip_padded": lambda o, n: clip(o, n, ending(VOCAB - 1, 0), "CLIP of texts with a mask: padding before a text, within one and after both.", dict(eos_token_id=VOCAB - 1, pad_token_id=1), {}, mask=padding()),
    "clip_gelu": lambda o, n: clip(o, n, ending(30, 30), "CLIP whose configuration says which token ends a text, here the padding too; exact GELU, towers of different widths and heads.",
                                   dict(eos_token_id=30, pad_token_id=30, hidden_act="gelu", hidden_size=20), dict(hidden_act="gelu", num_attention_heads=2, image_size=12, patch_size=4, layer_norm_eps=1e-3)),
}
