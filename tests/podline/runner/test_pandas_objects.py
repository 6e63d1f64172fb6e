"""What is inside pandas' objects stays what other variables hold too."""

from pathlib import Path

import pytest

from podline.exceptions import ArtifactError

from .conftest import Chain
from .test_sharing import shown, side_by_side

FRAME = """
import pandas as pd, numpy as np
df = pd.DataFrame({'a': [1, 2, 1], 'b': [1.0, 2, 3], 's': list('xyz')})
"""
PIVOT = f"{FRAME}\npivot = df.pivot_table(index='a', columns='s', values='b')"

# Names, and cells: the first one makes what is shared. A name without a reader is in none.
CASES = {
    "columns of a frame": (
        "pivot years",
        f"{PIVOT}; years = pivot.columns",
        "# reads: years\nyears.name = 'year'",
        "v = pivot.columns is years, pivot.columns.name, pivot.sum().to_dict()",
    ),
    "index of a frame that changes": (
        "df idx",
        f"{FRAME}\nidx = df.index",
        "# reads: df\ndf.loc[0, 'a'] = 7; df.index.name = 'n'",
        "v = df.index is idx, idx.name, df.a.tolist()",
    ),
    "labels and their values": (
        "df idx values",
        f"{FRAME}\ndf = df.set_index('b'); idx = df.index; values = idx.values",
        "# reads: idx values\nlen(idx), values[0]",
        "v = df.index is idx, values.tolist()",
    ),
    "index of two frames": (
        "one two",
        "import pandas as pd\nidx = pd.Index([1, 2], name='i')\n"
        "one = pd.DataFrame({'x': [1, 2]}, index=idx); two = pd.Series([3, 4], index=idx)",
        "# reads: one\none.index.name = 'new'",
        "v = two.index.name, one.index is two.index",
    ),
    "index of what is computed": (
        "s t",
        "import pandas as pd\ns = pd.Series([1, 2]); t = s * 2",
        "# reads: s\ns.index.name = 'new'",
        "v = t.index.name, t.index is s.index",
    ),
    "names of levels": (
        "df mi",
        "import pandas as pd\nmi = pd.MultiIndex.from_product([[1, 2], [3]], names=['a', 'b'])\n"
        "df = pd.DataFrame({'v': [1, 2]}, index=mi)",
        "# reads: mi\nmi.names = ['x', 'y']",
        "v = list(df.index.names), df.index is mi",
    ),
    "two groupings of a frame": (
        "df one two mean",
        f"{FRAME}\none = df.groupby('a'); two = df.groupby('a')['b']; mean = two.mean()",
        "# reads: df\ndf['z'] = [1, 2, 3]; df.index.name = 'n'",
        "v = one.obj is df, one.z.sum().to_dict(), two.sum().to_dict(), one.obj.index.name",
    ),
    "windows": (
        "df rolling resampled",
        f"{FRAME}\ndf = df[['a', 'b']].set_index(pd.date_range('2020', periods=3))\n"
        "rolling = df.rolling(2); resampled = df.resample('2D')",
        "# reads: rolling\nrolling.mean()",
        "# reads: df\ndf['c'] = df.a",
        "v = rolling.obj is df, rolling.sum().dropna().to_dict(), resampled.sum().to_dict()",
    ),
    "a style": (
        "df style",
        f"{FRAME}\nstyle = df.style.format(precision=1)",
        "# reads: df\ndf['z'] = 1",
        "v = style.data is df, style.index is df.index, list(style.data)",
    ),
    "cells": (
        "df rows",
        f"{FRAME}\nrows = [[1], [2], [3]]; df['o'] = rows; copy = df.copy()",
        "# reads: rows\nrows[1].append(5)",
        "# reads: df\ndf.o[2].append(6)",
        "v = df.o.tolist(), rows, all(a is b for a, b in zip(df.o, rows))",
    ),
    "cells of one's own": (
        "T ts df index",
        "import pandas as pd\nclass T: pass\nts = [T() for _ in range(300)]\n"
        "df = pd.DataFrame({'o': ts}); index = pd.Series(range(300), index=ts)",
        "# reads: ts\nts[0].x = 9",
        "v = df.o[0].x, df.o[5] is ts[5], isinstance(df.o[1], T), index[ts[7]]",
    ),
    "cells that are functions and paths": (
        "k s",
        "import pandas as pd\nk = 2\ns = pd.Series([lambda x: x * k, [HERE + '/f']])",
        "k = 3",
        "v = s[0](2), s[1][0] == HERE + '/f'",
    ),
    "the array of a column": (
        "s codes numbers texts",
        "import pandas as pd\ns = pd.Series(['a', 'b'], dtype='category'); codes = s.array\n"
        "numbers = pd.Series([1, 2]); texts = pd.Series(['a', 'b']).array",
        "# reads: codes\ncodes[0] = 'b'",
        "texts[0] = 'c'; v = s.tolist(), s.array is codes, numbers.tolist(), list(texts)",
    ),
    "a view of a column": (
        "s a",
        "import pandas as pd\ns = pd.Series([1, 2]); a = s.array",
        "# reads: a\na[0] = 9",
        "v = s.tolist()",
    ),
    "an array that is a column": (
        "np x s",
        "import pandas as pd, numpy as np\nx = np.zeros(3); s = pd.Series(x, copy=False)",
        "# reads: x\nx[0] = 9",
        "v = s.tolist()",
    ),
    "an array of a column of objects": (
        "df objects",
        "import pandas as pd\ndf = pd.DataFrame({'o': [[1], [2]]}); objects = df.o.to_numpy()",
        "# reads: df\ndf.iloc[0, 0] = 'new'",
        "v = objects.tolist()",
    ),
    "a row of a frame's array": (
        "df row",
        "import pandas as pd\ndf = pd.DataFrame({'a': [1, 2], 'b': [3, 4]})\n"
        "row = df.to_numpy()[0]; back = df.to_numpy()[::-1]",
        "# reads: df\ndf.iloc[0, 1] = 5",
        "v = df.b.tolist(), row.tolist()",
    ),
    "categories": (
        "s labels",
        "import pandas as pd\ns = pd.Series(['a', 'b'], dtype='category')\n"
        "labels = s.cat.categories",
        "# reads: labels\nlen(labels)",
        "v = s.cat.categories is labels, s.tolist()",
    ),
    "a category that is written": (
        "s",
        "import pandas as pd\ns = pd.Series(['a', 'b'], dtype='category')",
        "s.iloc[0] = 'b'; v = s.tolist()",
    ),
    "what is noted of a frame": (
        "df notes",
        f"{FRAME}\nnotes = []; df.attrs['notes'] = notes",
        "# reads: notes\nnotes.append(1)",
        "v = df.attrs, df.attrs['notes'] is notes",
    ),
}


@pytest.mark.parametrize(("names", "cells"), [(n, c) for n, *c in CASES.values()], ids=CASES)
def test_as_in_one_kernel(chain: Chain, names: str, cells: list[str]) -> None:
    stages, single = shown(chain, names, *cells)
    assert stages == single


def test_a_grouping_that_is_used_is_none_that_changes(chain: Chain) -> None:
    chain.stage(f"{FRAME}\ngroups = df.groupby('a')", hands_on="df groups")
    left = chain.stage("groups.b.sum(), len(groups)", reads="groups", hands_on="df groups")
    assert left.kinds == {}


def test_a_frame_whose_column_is_held_is_none_that_changed(chain: Chain) -> None:
    source = "import pandas as pd\ndf = pd.DataFrame({'c': pd.Categorical(['a', 'b'])})"
    chain.stage(source, hands_on="df c")
    assert chain.stage("c = df['c']", reads="df", hands_on="df c").kinds == {"c": "parquet"}


def test_a_frame_is_not_written_again_for_a_name_of_its_labels(chain: Chain) -> None:
    names = "df idx"
    chain.stage(FRAME, hands_on=names)
    left = chain.stage("idx = df.index", reads="df", hands_on=names)
    assert left.kinds == {"idx": "pickle"}
    chain.stage("idx.name = 'n'", reads="idx", hands_on=names)
    left = chain.stage("v = df.index.name, df.index is idx", reads=names, hands_on=names)
    assert left.namespace["v"] == ("n", True)
    assert left.kinds == {}
    chain.stage("df.index = df.index.copy()", reads="df", hands_on=names)
    left = chain.stage("v = df.index.name, df.index is idx", reads=names)
    assert left.namespace["v"] == ("n", False)


def test_stages_side_by_side_name_the_labels_of_a_frame(chain: Chain, tmp_path: Path) -> None:
    names = "df idx columns"
    chain.stage(FRAME, hands_on=names)
    chain.heap = side_by_side(chain, tmp_path, names, "idx = df.index", "columns = df.columns")
    chain.order = 10
    left = chain.stage("v = df.index is idx, df.columns is columns", reads=names)
    assert left.namespace["v"] == (True, True)


def test_frames_that_share_nothing_that_shows_keep_their_format(chain: Chain) -> None:
    source = f"{FRAME}\nrest = df[df.a > 1]; named = df.rename(columns=str.upper); s = df['b']"
    left = chain.stage(source, hands_on="df rest named s")
    assert set(left.kinds.values()) == {"parquet"}


def test_what_is_noted_of_a_frame_cannot_be_held_elsewhere(chain: Chain) -> None:
    with pytest.raises(ArtifactError, match="'df' and 'notes' share one dict, and stored they"):
        chain.stage(f"{FRAME}\ndf.attrs['k'] = 1; notes = df.attrs", hands_on="df notes")


def test_memory_that_two_frames_share_cannot_be_held_elsewhere(chain: Chain) -> None:
    source = "import pandas as pd\ns = pd.Series([1, 2]); t = s.rename('t'); a = s.array"
    with pytest.raises(ArtifactError, match="share one array's memory"):
        chain.stage(source, hands_on="s t a")
