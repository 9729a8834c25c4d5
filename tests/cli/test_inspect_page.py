"""The page that `mgpt-tui inspect --html` writes, as a file and in a browser."""

import base64
import html
import json
import re
import shutil
import subprocess

import numpy as np
import pytest

from mgpt_tui.cli.inspecting import as_page

TEXT = 'A <b>fox</b> </script><script>alert(1)</script> & "é" $title\nran'
CHROMIUM = next(
    filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None
)


@pytest.fixture
def page(mgpt, tiny_checkpoint, tmp_path):
    """Writes one of a text, and reads it."""

    def write(text, *arguments):
        file = tmp_path / "page.html"
        outcome = mgpt(
            *("inspect", "--model", tiny_checkpoint, "--precision", "fp32"),
            *("--prompt", text, "--html", file, *arguments),
        )
        assert outcome.code == 0, outcome.err
        return file.read_text(encoding="utf-8")

    return write


def numbers(page):
    content = re.findall(r'<script type="application/json" id="data">(.*?)</script>', page)
    assert len(content) == 1
    return json.loads(content[0])


def test_a_page_needs_nothing_but_itself_and_no_text_breaks_out_of_it(page):
    content = page(TEXT)
    assert "default-src 'none'" in content
    assert not re.search(
        r"https?:|\bsrc=|\bhref=|@import|url\(", content.replace(html.escape(TEXT), "")
    )
    assert len(re.findall("<script", content)) == len(re.findall("</script>", content)) == 2
    assert "innerHTML" not in content
    assert "".join(token["text"] for token in numbers(content)["tokens"]) == TEXT


def test_its_numbers_are_those_of_the_object(page, mgpt, tiny_checkpoint):
    text = "The fox and the dog ran over the hill"  # longer than the window
    found = numbers(page(text, "--mute", "L1", "--token", 5))
    assert found["chosen"] == 5 and found["muted"] == "L1"
    weights = np.frombuffer(base64.b64decode(found["attention"]), np.uint8)
    for token in (1, 5, 36, None):
        asked = [] if token is None else ["--token", token]
        told = json.loads(
            mgpt(
                *("inspect", "--model", tiny_checkpoint, "--precision", "fp32", "--json"),
                *("--prompt", text, "--mute", "L1", *asked),
            ).out
        )
        number = token or len(text) + 1
        choice = found["choices"][number - 1]
        assert choice["start"] == told["window_start"]
        assert choice["target"] == told["parts"]["target"]["id"]
        assert [rank for _, _, rank in choice["lens"]] == [each["rank"] for each in told["lens"]]
        for (_, p, _), station in zip(choice["lens"], told["lens"], strict=True):
            assert p == pytest.approx(station["p"], rel=1e-3)
        top = told["lens"][-1]["top"]
        assert [guess[0] for guess in choice["top"]] == [guess["id"] for guess in top]
        attention = np.array(told["attention"])
        kept = weights[choice["offset"] :][: attention.size].reshape(attention.shape) / 255
        np.testing.assert_allclose(kept, attention, atol=0.5 / 255 + 1e-9)
    for at, token in enumerate(told["tokens"]):
        bits = -token["logprob"] / np.log(2)
        assert found["tokens"][at]["bits"] == pytest.approx(bits, abs=1e-3)
        assert found["tokens"][at]["rank"] == token["rank"]
        entropy = token["entropy"] / np.log(2)
        assert found["choices"][at]["entropy"] == pytest.approx(entropy, abs=1e-3)
        without = -told["muted"]["logprobs"][at] / np.log(2)
        assert found["without"][at] == pytest.approx(without, abs=1e-3)


def test_what_is_too_much_for_a_page_is_left_out(page, monkeypatch):
    monkeypatch.setattr(as_page, "MOST_WEIGHTS", 50)
    assert numbers(page("The fox"))["attention"] is None


def test_only_a_page_is_written_over(mgpt, tiny_checkpoint, tmp_path):
    file = tmp_path / "story.json"
    file.write_text("mine")
    outcome = mgpt("inspect", "--model", tiny_checkpoint, "--prompt", "A", "--html", file)
    assert outcome.code == 2 and ".html" in outcome.err
    assert file.read_text() == "mine"
    nowhere = tmp_path / "nowhere" / "page.html"
    outcome = mgpt(
        *("inspect", "--model", tiny_checkpoint, "--precision", "fp32"),
        *("--prompt", "A", "--html", nowhere),
    )
    assert outcome.code == 2 and not nowhere.parent.exists()


def test_json_and_a_page_can_be_had_together(mgpt, tiny_checkpoint, tmp_path):
    file = tmp_path / "page.html"
    outcome = mgpt(
        *("inspect", "--model", tiny_checkpoint, "--precision", "fp32", "--json"),
        *("--prompt", "A fox", "--html", file),
    )
    assert json.loads(outcome.out)["tokens"] and file.exists()
    assert str(file) in outcome.err


@pytest.mark.skipif(CHROMIUM is None, reason="there is no Chromium")
@pytest.mark.parametrize(
    ("act", "question", "head"),
    [
        ("", "What could come next", "all heads together"),
        ("point(2)", "How “f” was chosen", "all heads together"),
        ("press('ArrowLeft')", "How “n” was chosen", "all heads together"),
        ("point(0); press('ArrowRight')", "How “ ” was chosen", "all heads together"),
        ("spans[1].click(); button(3).click()", "How “ ” was chosen", "head 2 of layer 2"),
        ("button(3).click(); button(3).click()", "What could come next", "all heads together"),
    ],
)  # fmt: skip
def test_in_a_browser_words_can_be_pointed_at(page, tmp_path, act, question, head):
    content = page("A fox\nran")
    script = f"""<script>
        addEventListener("error", event => document.title = "error: " + event.message);
        function point(at) {{
          spans[at].dispatchEvent(new PointerEvent("pointerenter", {{ pointerType: "mouse" }}));
        }}
        function press(key) {{ document.dispatchEvent(new KeyboardEvent("keydown", {{ key }})); }}
        function button(at) {{ return document.querySelectorAll("#heads button")[at]; }}
        {act}
    </script></body>"""
    file = tmp_path / "tried.html"
    file.write_text(content.replace("</body>", script), encoding="utf-8")
    command = [CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu", "--dump-dom"]
    command += [f"--user-data-dir={tmp_path / 'profile'}", file.as_uri()]
    shown = subprocess.run(command, capture_output=True, text=True, timeout=300).stdout
    assert "<title>error:" not in shown
    assert f'<h2 id="question">{question}</h2>' in shown
    assert head in re.findall(r'id="head">([^<]*)', shown)[0]
    marked = shown.count('class="chosen') + shown.count(' chosen"')
    assert marked == 2, "one word, and one head or all of them"
    assert len(re.findall(r"<button", shown)) == 4
    assert len(re.findall(r"<tr", shown)) == 5 + 1 + 5  # guesses, and stations with their heading
