"""The functions of the two seed documents, each in a module of the name it has there; all are thin.

They log an ordinary record to logger ``loghub.report`` (`record`), or read the ledger.
"""
