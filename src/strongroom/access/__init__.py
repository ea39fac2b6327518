"""WHO may do it, from WHERE?"""
