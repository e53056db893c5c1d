"""A recovery procedure of one's own: a camera that is opened anew when it fails.

In a logging.yaml it stands as

    recovery:
      class: loghub.RecoveryHandler
      procedures:
        - on: own_procedure.CameraError
          run: own_procedure.reopen
          with: {device: 0}
"""

import logging

import loghub

log = logging.getLogger("shop.camera")


class CameraError(Exception):
    pass


class Camera:
    def __init__(self):
        self.device = None

    def picture(self):
        if self.device is None:
            raise CameraError("the camera does not answer")
        return "a picture"


camera = Camera()


def reopen(event, device):
    log.info("%s: opening device %d", event["error_message"], device)
    camera.device = device
    return True


if __name__ == "__main__":
    handler = loghub.RecoveryHandler(procedures=[{"on": "CameraError", "run": reopen, "with": {"device": 0}}])
    log.addHandler(handler)
    try:
        camera.picture()
    except CameraError:
        log.exception("no picture")  # which is all that the application does about it
    handler.flush()
    print(camera.picture())
