"""trigger: would this photo look clearly better after enhancement?"""
