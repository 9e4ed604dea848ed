"""The whole chain on sample photographs, and the page that shows it."""
