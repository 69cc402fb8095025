# SPDX-License-Identifier: MIT
"""The sources of specs/indextts2/pipeline.yaml, for tests. Each name is that of
its single spec, too: the reduced checkpoint's files in fixtures, the manifests
of the released one, how many tensors that has, and how many come out of the
reduced one."""
import checkpoints as ck

SOURCES = {
    "w2vbert": (["w2vbert/w2vbert_tiny"], ["w2vbert"], 773, 228),
    "w2vbert_stats": (["w2vbert/w2vbert_stats_tiny"], ["w2vbert_stats"], 2, 2),
    "semantic_codec": (["codec/codec_tiny"], ["semantic_codec"], 239, 121),
    "campplus": (["campplus/campplus_tiny"], ["campplus"], 937, 506),
    "qwen_emo": (["qwen/qwen_tiny"], ["qwen_emo"], 310, 27),
    "feat": (["feat/feat1_tiny", "feat/feat2_tiny"], ["feat1", "feat2"], 2, 2),
    "gpt": (["gpt/gpt_tiny"], ["gpt"], 665, 537),
    "s2mel": (["s2mel/s2mel_tiny"], ["s2mel"], 284, 311),
    "bigvgan": (["bigvgan/bigvgan_tiny"], ["bigvgan"], 783, 449),
}


def tiny(source):
    return [ck.FIXTURES / f"{name}.safetensors" for name in SOURCES[source][0]]


def given(files, sources=SOURCES):
    """Arguments; `files` gives the paths for a source."""
    return [a for s in sources for file in files(s)
            for a in ("--source", f"{s}={file}")]
