"""What RotatingFileHandler is made of."""
