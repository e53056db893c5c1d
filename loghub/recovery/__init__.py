"""What RecoveryHandler is made of: which errors a procedure is for, when it may run, and how a run is contained."""
