"""The engine as a service: FastAPI on one side, one inference thread per device on the other.

| file | holds |
|---|---|
| `app` | puts everything together |
| `settings` | what it can be started with |
| `routes/` | the paths: volumes, steps, models, status |
| `gate` | what every request passes: token, version, count, log |
| `volume_store`, `uploads` | the volumes that are there, and those on their way |
| `runs`, `fair_queue`, `inference_thread` | a step from its request to its reply |
| `bench`, `served_model` | the models and embeddings of one device |
| `__main__`, `parent` | the child process of an application |
| `host` | a GPU host for many |
"""
