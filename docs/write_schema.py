"""Write the JSON Schema of physics levels anew, from the model that validates them."""

import json
import pathlib

from minicosm.envs.physics.format import schema

path = pathlib.Path(__file__).with_name("physics-level.schema.json")
path.write_text(json.dumps(schema(), indent=1) + "\n", encoding="utf-8")
print(f"written: {path}")
