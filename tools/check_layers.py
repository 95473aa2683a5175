#!/usr/bin/env python3
"""Holds the house against its plan: which room may include and link which, where torch may appear, what a README may weigh.

    tools/check_layers.py [ROOT]

Exit code 0, or 1 with one line a violation. Rules:
  * a room includes rooms of a lower level, or of its own level on an earlier line of LEVELS; cli includes everything;
  * a torch header appears only in rooms of the torch side, recipes that train and cli/train files;
  * a recipe includes no other recipe, and no room includes a recipe or cli;
  * apical_room(... ROOMS ...) of a room's CMakeLists.txt obeys the same order, and every room it includes is reachable by it;
  * every room has a README.md of at most 30 lines.
"""
import pathlib
import re
import sys

# Level and order: a room may use the rooms above it in this list, unless both stand on one level and it comes earlier.
LEVELS = [
    ("base", 0),
    ("kernels", 1), ("formats", 1), ("report", 1),
    ("data", 2), ("graph", 2),
    ("exchange", 3), ("runtime", 3), ("energy", 3), ("brain", 3), ("recipe", 3),
    ("nn", 4), ("learning", 5), ("training", 6),
]
TORCH_ROOMS = {"nn", "learning", "training"}
TORCH_FILES = {"cli/run.cpp", "cli/verify.cpp", "cli/train.cpp", "cli/train_main.cpp"}  # these make up apical-train
ORDER = {room: i for i, (room, _) in enumerate(LEVELS)}
SOURCES = {".h", ".hpp", ".cpp", ".cc", ".c", ".cu", ".inc"}
INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]*[<"]([^>"]+)[>"]', re.M)
TORCH = re.compile(r"^(torch|ATen|c10|caffe2)/")
README_LINES = 30


def includes(path):
    """(line number, included name) of a file; comments are taken away, line breaks kept."""
    text = path.read_text(encoding="utf-8", errors="replace")
    text = re.sub(r"/\*.*?\*/", lambda m: "\n" * m.group(0).count("\n"), text, flags=re.S)
    for m in INCLUDE.finditer(text):
        yield text.count("\n", 0, m.start(1)) + 1, m.group(1)


def sources(folder):
    return sorted(p for p in folder.rglob("*") if p.suffix in SOURCES and p.is_file())


def check_includes(root, complain):
    for room, _ in LEVELS:
        for path in sources(root / "apical" / room) if (root / "apical" / room).is_dir() else []:
            at = path.relative_to(root)
            for line, name in includes(path):
                if TORCH.match(name) and room not in TORCH_ROOMS:
                    complain(f"{at}:{line}: includes <{name}>, but {room} is a room without torch")
                if name.startswith(("recipes/", "cli/")):
                    complain(f"{at}:{line}: a room includes {name}; recipes and cli are used by nobody")
                m = re.match(r"apical/([^/]+)/", name)
                if not m and name.startswith("../"):
                    complain(f"{at}:{line}: includes {name}; write apical/<room>/...")
                if not m or m.group(1) == room:
                    continue
                if m.group(1) not in ORDER:
                    complain(f"{at}:{line}: includes {name}, and no room is called {m.group(1)}")
                elif ORDER[m.group(1)] > ORDER[room]:
                    complain(f"{at}:{line}: {room} includes {name}, which lies above it")
    for path in sources(root / "recipes"):
        at = path.relative_to(root)
        slug = at.parts[1]
        for line, name in includes(path):
            m = re.match(r"(?:\.\./|recipes/)([^/]+)/", name)
            if m and m.group(1) != slug:
                complain(f"{at}:{line}: a recipe includes another recipe, {name}")
            if name.startswith("cli/"):
                complain(f"{at}:{line}: a recipe includes {name}")
    for path in sources(root / "cli"):
        at = path.relative_to(root)
        for line, name in includes(path):
            if at.as_posix() in TORCH_FILES:
                continue
            m = re.match(r"apical/([^/]+)/", name)
            if TORCH.match(name) or (m and m.group(1) in TORCH_ROOMS):
                complain(f"{at}:{line}: includes {name}, but `apical` starts without torch")


def links_of(root, room, complain):
    """The rooms that apical_room() of this room names, or None when the file says nothing."""
    path = root / "apical" / room / "CMakeLists.txt"
    text = re.sub(r"#.*", "", path.read_text(encoding="utf-8")) if path.exists() else ""
    m = re.search(r"apical_room\(\s*(\S+?)\s*(?:\s([^)]*))?\)", text)
    if not m:
        complain(f"apical/{room}/CMakeLists.txt: no apical_room({room} ...)")
        return None
    if m.group(1) != room:
        complain(f"apical/{room}/CMakeLists.txt: apical_room({m.group(1)}) in the folder of {room}")
    words, rooms, torch, inside = (m.group(2) or "").split(), [], False, False
    for word in words:
        if word in ("ROOMS", "LINK", "PRIVATE", "TORCH"):
            inside = word == "ROOMS"
            torch |= word == "TORCH"
        elif inside:
            rooms.append(word)
    if torch != (room in TORCH_ROOMS):
        complain(f"apical/{room}/CMakeLists.txt: TORCH {'stands' if torch else 'does not stand'} there, against the plan")
    return rooms


def check_links(root, complain):
    reach = {}
    for room, _ in LEVELS:
        if not (root / "apical" / room).is_dir():
            continue
        rooms = links_of(root, room, complain)
        if rooms is None:
            continue
        reach[room] = {room}
        for lower in rooms:
            if lower not in ORDER:
                complain(f"apical/{room}/CMakeLists.txt: links {lower}, and no room is called so")
            elif ORDER[lower] >= ORDER[room]:
                complain(f"apical/{room}/CMakeLists.txt: {room} links {lower}, which lies above it")
            else:
                reach[room] |= reach.get(lower, {lower})
        for path in sources(root / "apical" / room):
            for line, name in includes(path):
                m = re.match(r"apical/([^/]+)/", name)
                if m and m.group(1) in ORDER and ORDER[m.group(1)] < ORDER[room] and m.group(1) not in reach[room]:
                    complain(f"{path.relative_to(root)}:{line}: includes {name}, but {room} does not link {m.group(1)}")


def check_rooms(root, complain):
    for folder in sorted(p for p in (root / "apical").iterdir() if p.is_dir()):
        if folder.name not in ORDER:
            complain(f"apical/{folder.name}: not in the plan (LEVELS of tools/check_layers.py)")
        readme = folder / "README.md"
        if not readme.exists():
            complain(f"apical/{folder.name}: no README.md")
        elif (n := len(readme.read_text(encoding="utf-8").splitlines())) > README_LINES:
            complain(f"apical/{folder.name}/README.md: {n} lines, at most {README_LINES}")


def violations(root):
    found = []
    complain = lambda line: found.append(line) if line not in found else None
    check_rooms(root, complain)
    check_includes(root, complain)
    check_links(root, complain)
    return found


def main():
    root = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else pathlib.Path(__file__).resolve().parents[1])
    found = violations(root)
    print("\n".join(found) if found else f"layers: {len(LEVELS)} rooms, no violation")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
