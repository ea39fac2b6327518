"""WHEN does something happen by itself?"""
