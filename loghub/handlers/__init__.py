"""The handlers, one file each: `logging.yaml` names them as ``loghub.<Class>`` under ``class:``."""
