"""kraken reading lines: {"lines": paths, "spec", "alphabet", "settings": [{batch_size, threads, workers}], "rounds"}.

Prints seconds a round for each of the settings. Lines stand below each other on one page, since kraken puts only lines
of one page into a batch. The weights are as they begin: what a network reads does not change how long it takes.
"""

import json
import sys
import tempfile
import time
import warnings

import torch
from kraken.configs import RecognitionInferenceConfig
from kraken.containers import BBoxLine, Segmentation
from kraken.lib.vgsl import TorchVGSLModel
from PIL import Image

warnings.filterwarnings("ignore")
question = json.load(sys.stdin)
pictures = [Image.open(path).convert("L") for path in question["lines"]]
page = Image.new("L", (max(each.width for each in pictures), sum(each.height for each in pictures)), 255)
boxes, top = [], 0
for each in pictures:
    page.paste(each, (0, top))
    boxes.append((0, top, each.width, top + each.height))
    top += each.height

answers = []
with tempfile.NamedTemporaryFile(suffix=".png") as file:
    page.save(file.name)
    for settings in question["settings"]:
        torch.manual_seed(1)
        torch.set_num_threads(settings["threads"])
        codec = {character: [number] for number, character in enumerate(question["alphabet"], 1)}
        spec = f"{question['spec'][:-1]} O1c{len(codec) + 1}]"
        model = TorchVGSLModel(
            vgsl=spec, codec=codec, model_type=["recognition"], seg_type="bbox", one_channel_mode="L"
        )
        model.prepare_for_inference(
            RecognitionInferenceConfig(
                accelerator="cpu",
                device=1,
                batch_size=settings["batch_size"],
                num_threads=settings["threads"],
                num_line_workers=settings["workers"],
            )
        )
        rounds = []
        for number in range(question["rounds"] + 1):  # the first warms up
            started = time.perf_counter()
            image = Image.open(file.name)
            lines = [BBoxLine(id=str(place), bbox=box) for place, box in enumerate(boxes)]
            found = list(
                model.predict(
                    im=image,
                    segmentation=Segmentation(
                        type="bbox",
                        imagename=file.name,
                        text_direction="horizontal-lr",
                        script_detection=False,
                        lines=lines,
                    ),
                )
            )
            if number:
                rounds.append(time.perf_counter() - started)
        assert len(found) == len(boxes), (len(found), len(boxes))
        answers.append(rounds)
print(json.dumps(answers))
