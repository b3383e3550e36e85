"""highlight"""
