# cmake --install: placeholder list of rooms; the package files are written in one place, here.
