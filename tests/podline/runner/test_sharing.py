"""What several objects share stays one from stage to stage, however much of it there is."""

from pathlib import Path

import pytest

from podline.contract import Heap
from podline.exceptions import ArtifactError
from podline.runner.heap_merge import merge

from .conftest import Chain, make_plan


def shown(chain: Chain, names: str, *cells: str) -> tuple[object, object]:
    """What the last cell leaves in `v`: of the cells as stages, and of a single kernel.

    A cell that begins with `# reads:` gets only these names, the others all.
    """
    single: dict[str, object] = {"__name__": "__main__", "HERE": "there"}
    for cell in cells:
        exec(cell, single)
        head = cell.partition("\n")[0]
        reads = head.removeprefix("# reads:") if head.startswith("# reads:") else names
        left = chain.stage(cell, reads=reads, hands_on=names)
    return left.namespace["v"], single["v"]


ROWS = (
    "rows = [{'id': i, 'tags': [i]} for i in range(300)]\nby_id = {row['id']: row for row in rows}"
)
NODES = """
class Node:
    def __init__(self, name, parent=None):
        self.name, self.parent, self.kids = name, parent, []
        if parent:
            parent.kids.append(self)
"""
SAME = "all(by_id[row['id']] is row for row in rows)"

# Names, and cells: the first one makes what is shared.
CASES = {
    "changed by one holder": (
        "rows by_id",
        ROWS,
        "# reads: rows\nrows[7]['x'] = 1; rows[8]['tags'].append('y')",
        f"v = {SAME}, by_id[7], by_id[8]",
    ),
    "taken out of one holder": (
        "rows by_id",
        ROWS,
        "# reads: rows\nrows[7] = {'id': 7}; rows.append(5)",
        "v = by_id[7], rows[7], len(by_id), rows[8] is by_id[8]",
    ),
    "one holder deleted": ("rows by_id", ROWS, "# reads: rows\ndel rows", "v = by_id[3]"),
    "more of them later": (
        "rows by_id",
        ROWS,
        "new = [{'id': i} for i in range(300, 700)]\n"
        "rows += new; by_id.update({row['id']: row for row in new})",
        "# reads: by_id\nby_id[350]['n'] = 1; by_id[1]['n'] = 2",
        f"v = {SAME}, rows[350], rows[1]",
    ),
    "a name for one of them": (
        "rows by_id first tags",
        ROWS,
        "first = rows[0]; tags = by_id[5]['tags']",
        "# reads: first\nfirst['q'] = 1",
        "# reads: tags by_id\ntags.append('t'); by_id[0]['z'] = 1",
        f"v = {SAME}, rows[0], rows[5], first is by_id[0], tags is rows[5]['tags']",
    ),
    "a third holder": (
        "rows by_id even",
        ROWS,
        "# reads: rows\neven = rows[::2]",
        "# reads: even\neven[1]['e'] = 1",
        f"v = {SAME}, by_id[2], all(by_id[row['id']] is row for row in even)",
    ),
    "parts of parts": (
        "rows tags",
        f"{ROWS}\ntags = [row['tags'] for row in rows]\ndel by_id",
        "# reads: tags\ntags[4].append('t')",
        "v = rows[4], all(tag is row['tags'] for tag, row in zip(tags, rows))",
    ),
    "overlapping samples": (
        "samples one two",
        "import random\nrandom.seed(1)\nrows = [{'id': i} for i in range(1000)]\n"
        "samples = [random.sample(rows, 500) for _ in range(10)]\none, two, *samples = samples",
        "# reads: one\none[0]['x'] = 1; one[1]['x'] = 2",
        "v = [[r for r in s if 'x' in r] for s in (one, two, *samples)], "
        "len({id(r) for s in (one, two, *samples) for r in s})",
    ),
    "a tree with links to the parents": (
        "Node leaves index root",
        f"{NODES}\nroot = Node('root'); nodes = [Node(i, root) for i in range(200)]\n"
        "leaves = [Node(('leaf', node.name), node) for node in nodes]\n"
        "index = {str(node.name): node for node in (root, *nodes, *leaves)}\ndel nodes",
        "# reads: leaves\nleaves[3].parent.mark = 1",
        "v = index['3'].mark, root.kids[3] is index['3'], isinstance(root, Node)",
    ),
    "a chain": (
        "Node nodes box",
        f"{NODES}\nnodes = [node := Node(0)]\n"
        "for i in range(1, 150): nodes.append(node := Node(i, node))\nbox = nodes[:1]\ndel node",
        "# reads: nodes\nnodes[2].mark = 1",
        "v = box[0].kids[0].kids[0].mark, box[0].kids[0] is nodes[1]",
    ),
    "a graph": (
        "Place places order",
        "class Place: pass\nplaces = {k: Place() for k in range(500)}\n"
        "for k, place in places.items():\n"
        "    place.k = k; place.near = {places[(k * 7 + j) % 500] for j in range(3)}\n"
        "order = list(places.values())[::-1]\ndel place",
        "# reads: order\norder[0].seen = True",
        "v = places[499].seen, all(near is places[near.k] for p in order for near in p.near)",
    ),
    "a holder that they refer to": (
        "Row Table table some",
        "class Row: pass\nclass Table: pass\ntable = Table(); table.rows = []\n"
        "for i in range(300): row = Row(); row.table = table; row.i = i; table.rows.append(row)\n"
        "some = table.rows[::2]",
        "# reads: some\nsome[1].i = 77",
        "v = table.rows[2].i, some[0].table is table",
    ),
    "a few, one inside the other": (
        "a b c",
        "inner = [1]; outer = [inner]; a = [inner]; b = [outer]; c = [outer]; del inner, outer",
        "# reads: c\nc[0][0].append(2)",
        "v = a, b, a[0] is b[0][0], b[0] is c[0]",
    ),
    "queues, arrays of objects, keys": (
        "deque np rows queue array counts",
        "from collections import deque\nimport numpy as np\n"
        "class Key: pass\nrows = [Key() for _ in range(300)]; queue = deque(rows, maxlen=250)\n"
        "array = np.array(rows); counts = dict.fromkeys(rows, 0)",
        "# reads: queue counts\nqueue[0].n = 1; counts[queue[0]] += 1",
        "v = rows[50].n, counts[rows[50]], array[50] is rows[50] is queue[0]",
    ),
    "views in two dicts": (
        "np a b",
        "import numpy as np\nx = np.zeros((3, 3)); a = {'row': x[0]}; b = {'column': x[:, 0]}",
        "# reads: a\na['row'][0] = 5",
        "a['row'][0] += 1; v = b['column'].tolist()",
    ),
    "views in one object": (
        "np Net net",
        "import numpy as np\nclass Net: pass\nnet = Net(); net.all = np.zeros(4)\n"
        "net.first = net.all[:2]; net.last = net.all[2:].reshape(2, 1)",
        "net.first[0] = 5",
        "net.last[1] = 6; v = net.all.tolist()",
    ),
    "views that a later stage takes": (
        "np d e column",
        "import numpy as np\nx = np.zeros(4); d = {'x': np.zeros((2, 2)), 'a': x[:3], 'b': x[1:]}\n"
        "del x",
        "# reads: d\ncolumn = d['x'][:, 0]; e = [d['a'][:2]]",
        "# reads: column e\ncolumn[0] = 5; e[0][1] = 6",
        "v = d['x'].tolist(), d['b'].tolist()",
    ),
    "views of objects": (
        "np a b",
        "import numpy as np\na = np.array([[1], 'x', None], dtype=object); b = a[::2]",
        "# reads: a\na[0] = 'new'",
        "b[1] = 5; v = a.tolist(), b.tolist()",
    ),
    "rows of an array": (
        "np x rows",
        "import numpy as np\nx = np.zeros((300, 2)); rows = list(x)",
        "# reads: rows\nrows[3][0] = 5",
        "v = x[3].tolist()",
    ),
    "bound methods": (
        "Hit hits calls",
        "class Hit:\n    n = 0\n    def hit(self): self.n += 1\n"
        "hits = [Hit() for i in range(250)]; calls = [h.hit for h in hits]",
        "# reads: calls\ncalls[3]()",
        "v = hits[3].n, hits[4].n",
    ),
}


@pytest.mark.parametrize(("names", "cells"), [(n, c) for n, *c in CASES.values()], ids=CASES)
def test_as_in_one_kernel(chain: Chain, names: str, cells: list[str]) -> None:
    stages, single = shown(chain, names, *cells)
    assert stages == single


def test_an_object_is_asked_for_no_attribute(chain: Chain) -> None:
    source = (
        "class Strict:\n    __slots__ = ('x',)\n    def __getattr__(self, name):\n"
        "        if name.startswith('__'): raise AttributeError(name)\n"
        "        raise LookupError(name)\n"
        "strict = Strict(); strict.x = [1]; held = [strict]"
    )
    stages, single = shown(chain, "Strict strict held", source, "v = held[0] is strict, strict.x")
    assert stages == single


def test_many_parts_make_few_files(chain: Chain) -> None:
    left = chain.stage(ROWS, hands_on="rows by_id")
    assert set(left.heap.objects) == {"s1:rows", "s1:by_id", "s1:#1"}
    left = chain.stage("first = rows[0]", reads="rows", hands_on="rows by_id first")
    assert left.kinds == {"first": "pickle"}  # what it stands for is where it was
    left = chain.stage("first['n'] = 1", reads="first", hands_on="rows by_id first")
    assert left.kinds == {"#1": "pickle"}


def test_a_few_parts_have_files_of_their_own(chain: Chain) -> None:
    source = "import numpy as np\nx = np.ones(2); y = [[1], [2]]; a = [x, y]; b = [y, x]; del x, y"
    left = chain.stage(source, hands_on="a b")
    kinds = {key.partition(".")[2] for key in left.files}
    assert (len(left.files), kinds) == (4, {"pickle", "npy", "json"})


def side_by_side(chain: Chain, folder: Path, names: str, left: str, right: str) -> Heap:
    """What two stages leave together that both go on from the one before, and see these names."""
    heaps = []
    for number, source in enumerate([left, right]):
        (folder / f"{number}").mkdir()
        branch = Chain(folder / f"{number}", (), chain.heap, chain.files, 2 + number)
        heaps.append(branch.stage(source, reads=names, hands_on=names).heap)
    ancestors = {"s1": (), "s3": ("s1",), "s4": ("s1",)}
    return merge(make_plan("", reads=names, ancestors=ancestors, name="end"), heaps)


def test_stages_side_by_side_change_different_holders(chain: Chain, tmp_path: Path) -> None:
    chain.stage(ROWS, hands_on="rows by_id")
    left, right = "rows.append(5)", "by_id['k'] = 6"
    chain.heap = side_by_side(chain, tmp_path, "rows by_id", left, right)
    chain.order = 10
    last = chain.stage(f"rows.pop(); v = {SAME}, by_id['k']", reads="rows by_id")
    assert last.namespace["v"] == (True, 6)


def test_stages_side_by_side_change_what_is_shared(chain: Chain, tmp_path: Path) -> None:
    chain.stage(ROWS, hands_on="rows by_id")
    left, right = "rows[0]['n'] = 5", "by_id[1]['n'] = 6"
    with pytest.raises(ArtifactError, match="an object that variables share was changed by"):
        side_by_side(chain, tmp_path, "rows by_id", left, right)


def test_what_is_shared_and_cannot_be_stored_is_named(chain: Chain) -> None:
    source = "rows = [[i] for i in range(300)]; rows[0].append(i for i in []); more = rows[:200]"
    with pytest.raises(ArtifactError) as caught:
        chain.stage(source, hands_on="rows more")
    assert "the variable 'rows' (list) cannot be stored" in str(caught.value)


@pytest.mark.parametrize(
    "made", ["np.frombuffer(b, 'u1')", "np.frombuffer(memoryview(b), 'u1')[2:]"]
)
def test_an_array_in_the_memory_of_a_bytearray(chain: Chain, made: str) -> None:
    source = f"import numpy as np\nb = bytearray(8); x = {made}"
    chain.stage(source, hands_on="x")  # nobody else can write there
    with pytest.raises(ArtifactError, match=r"share one buffer's memory.*fix:"):
        chain.stage(source, hands_on="b x")


def test_a_memoryview(chain: Chain) -> None:
    with pytest.raises(ArtifactError, match="'m'.*would show a copy.*fix:"):
        chain.stage("m = memoryview(bytearray(3))", hands_on="m")


def test_trees_of_a_forest_keep_the_memory_of_their_arrays(chain: Chain) -> None:
    source = (
        "from sklearn.ensemble import RandomForestClassifier\n"
        "forest = RandomForestClassifier(3, random_state=1).fit([[0], [1], [2]], [0, 1, 1])\n"
        "first = forest.estimators_[0]; forest.predict([[1]])"
    )
    chain.stage(source, hands_on="forest first")
    left = chain.stage("same = first is forest.estimators_[0]", "forest first")
    assert left.namespace["same"] is True
