"""The verbs as functions: train, resume, evaluate; callbacks. `import gancli` offers them."""
