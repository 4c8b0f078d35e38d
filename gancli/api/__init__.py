"""The verbs as functions: train, resume, evaluate, sweep; callbacks. `import gancli` offers them."""
