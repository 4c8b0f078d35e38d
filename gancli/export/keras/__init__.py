"""A trained generator as a model of keras.layers: built from config.json and model.safetensors, without torch and gancli.

    from generator import build, inputs

    model = build("FOLDER")                                            # or, which gives the same model:
    model = keras.saving.load_model("FOLDER/generator.keras")          # `import generator` has registered its layers

    images = model(inputs("FOLDER", seeds=[7]))                        # those of `gan sample --seed 7`

Images are channels-last, [N, H, W, C] in [-1, 1]. The names of the layers are those of the net in torch, with _ for a dot.
"""

from .building import build, inputs

__all__ = ["build", "inputs"]
