"""Targets that any bytes may be thrown at, by hypothesis in the suite and by atheris for as long as one likes."""
