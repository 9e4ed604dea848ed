"""Terminal output: messages, progress, muting of native libraries."""
