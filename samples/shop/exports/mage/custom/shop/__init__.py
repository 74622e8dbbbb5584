# Blocks of the pipeline shop. Made by: heddle export mage --schedule=0%206%20*%20*%20* --select=+customers plan=594052c74b5c92f9
