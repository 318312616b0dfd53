"""What clients and the service say to each other: every message as pure functions, without torch and without HTTP.

| file | holds |
|---|---|
| `names` | every path, header, code and limit, and the version |
| `steps` | the request of a step and its answer |
| `masks` | masks: a box and its bits |
| `volumes` | how a volume is known, described and cut into parts |
| `messages` | everything that travels as JSON |
| `problems` | what goes wrong, with the code that tells a client what to do |
| `envelope`, `compression`, `records` | what those are made of |

An exchange, with the header `Authorization: Bearer TOKEN` in each request:

    POST /v1/segment                      StepRequest          -> 404 volume-unknown
    PUT  /v1/volumes/ID                   VolumeDescription    -> UploadStatus: which parts are missing
    PUT  /v1/volumes/ID/parts/0 ...       compressed voxels    -> UploadStatus
    POST /v1/segment                      StepRequest          -> StepReply: mask, quality, state
    POST /v1/segment                      StepRequest with one more click and that state

On one machine the second and third line are one: PUT /v1/volumes/ID/shared, which names the memory that the voxels
are in. The service remembers nothing that a client could not send again.
"""
