"""The commands that need nothing but the core: score and rank."""
