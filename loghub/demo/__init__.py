"""The application that ``loghub demo`` runs; it knows logging, and nothing of loghub."""
