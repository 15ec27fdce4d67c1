"""The page as a person uses it, in headless Chromium: draw a level from nothing, win it, keep it, find it again."""

import json
import re

import pytest
from browser import Page
from studio_server import plain


@pytest.fixture
def page(chromium, server):
    context = chromium.new_context(
        viewport={"width": 1280, "height": 800}, reduced_motion="reduce", accept_downloads=True
    )
    page = Page(context, server.address)
    yield page
    context.close()
    assert page.mistakes == []
    assert all(url.startswith((server.address, "blob:", "data:")) for url in page.asked)  # it needs no other server


def draw_car(page):
    """A car on two wheels that share a motor's keys, and a blue box at the other end of an empty room."""
    page.page.click("#file-menu")
    page.page.click(".menu >> text=New level")
    page.press("b")
    page.drag((0.6, 0.3), (1.6, 0.6))
    for x in (0.8, 1.4):
        page.press("c")
        page.drag((x, 0.3), (x, 0.1))
        page.press("1")
    page.wait("#problems button:has-text('No shape is blue')")
    for x in (0.8, 1.4):
        page.press("m")
        page.click(x, 0.3)
    page.press("b")
    page.drag((4.2, 0.0), (4.8, 0.5))
    page.wait(".fine")
    page.wait_counts(2, 2, 2)


def test_draw_play_win_save_reopen_undo(page, server):
    page.open()
    draw_car(page)
    page.page.fill("#level-name", "My first car")
    page.press("Enter", "Space")
    page.wait("body[data-view=play]")
    page.page.keyboard.down("ArrowRight")
    page.wait(".banner.won:has-text('Solved!')")
    page.page.keyboard.up("ArrowRight")
    page.press("Space")
    page.wait("body[data-view=edit]")

    page.press("Control+s")
    page.wait("dialog #ask")
    assert page.page.input_value("#ask") == "My first car"
    page.press("Enter")
    page.wait(".toast:has-text('Saved as')")
    file = json.loads((server.folder / "My first car.json").read_text())
    assert [shape.get("role") for shape in file["shapes"]] == ["green", None, None, "blue"]
    assert [joint["motor"].get("binding", 0) for joint in file["joints"]] == [0, 0]

    page.press("Control+a", "Delete")
    page.wait_counts(0, 0, 0)
    page.press("Control+z")
    page.wait_counts(2, 2, 2)
    for _ in range(4):  # the name, the blue box and both motors
        page.press("Control+z")
    page.wait_counts(1, 2, 0)
    page.press("Control+Shift+Z", "Control+y")
    page.wait_counts(1, 2, 2)

    page.press("Control+o")
    page.page.click("dialog .list >> text=My first car")
    page.wait_counts(2, 2, 2)
    assert page.page.input_value("#level-name") == "My first car"
    page.press("Control+z")  # opening a level can be undone, too
    page.wait_counts(1, 2, 2)


def test_a_closed_tab_loses_nothing_and_a_link_holds_a_level(page, server, chromium):
    page.open()
    draw_car(page)
    page.page.close()
    again = Page(page_context := chromium.contexts[-1], server.address).open()
    again.wait_counts(2, 2, 2)
    again.page.click("#file-menu")
    again.page.click(".menu >> text=Copy a link")
    again.wait(".toast:has-text('Link copied'), dialog input[readonly]")
    link = again.page.url
    assert re.search(r"/#level=[\w-]{100,}$", link)
    assert again.mistakes == []
    assert page_context is chromium.contexts[-1]
    elsewhere = chromium.new_context(viewport={"width": 1280, "height": 800})
    other = Page(elsewhere, server.address).open(link.partition("/#")[2] and "#" + link.partition("#")[2])
    other.wait_counts(2, 2, 2)
    other.open("#level=broken")
    other.page.reload()
    other.wait(".toast.bad:has-text('The link holds no level')")
    elsewhere.close()


def test_edit_with_the_mouse_and_the_keyboard(page):
    page.open()
    page.page.click("#file-menu")
    page.page.click(".menu >> text=New level")
    page.press("b")
    page.drag((1, 1), (2, 1.5))
    field = page.page.get_by_label
    assert field("Width", exact=True).input_value() == "1"
    page.drag((1.5, 1.25), (2.5, 2.25))  # moves it
    assert [field(name, exact=True).input_value() for name in ("x", "y")] == ["2.5", "2.25"]
    page.drag((3, 2.5), (3.5, 2.5))  # its corner
    assert field("Width", exact=True).input_value() == "1.5"
    page.press("ArrowRight", "ArrowRight", "Shift+ArrowUp")
    assert [field(name, exact=True).input_value() for name in ("x", "y")] == ["2.85", "2.75"]
    page.press(",")
    assert field("Turned", exact=True).input_value() == "15"
    field("Density", exact=True).fill("4")
    page.press("Tab")
    page.page.click("#canvas", position={"x": 200, "y": 20})
    page.press("t")
    page.drag((0.5, 3), (1.5, 4))
    page.press("p")
    for corner in ((3.5, 3.5), (4.5, 3.5), (4.5, 4.5), (3.6, 4.2)):
        page.click(*corner)
    page.wait_counts(3, 0, 0)
    page.press("Control+d")
    page.wait_counts(4, 0, 0)
    page.press("f")
    page.click(1, 3.3)  # on the triangle
    page.wait("#inspector h2:has-text('Thruster')")
    page.press("Escape", "Tab", "Tab")
    assert page.page.locator("#announce").inner_text().startswith("Selected: wedge_1, blue")
    page.press("Delete")
    page.wait_counts(3, 0, 0)
    page.wait("#meter dl > div:nth-child(4) dd:text('0 /')")  # the thruster went with it
    page.press("Control+c", "Escape")
    page.drag((0.1, 0.1), (4.9, 4.9))  # all of it, by a box round it
    page.wait("#inspector h2:has-text('3 shapes')")
    page.press("Control+x")
    page.wait_counts(0, 0, 0)
    page.press("Control+v")
    page.wait_counts(3, 0, 0)


def test_a_machine_is_made_with_the_keyboard_alone(page):
    page.open()
    page.page.click("#file-menu")
    page.page.click(".menu >> text=New level")
    field, heading = page.page.get_by_label, "#inspector h2:has-text"
    page.press("b", "Enter", "c", "Enter", "m", "Enter")  # what is new is selected, and lies on the box
    page.wait(f"{heading}('Motor')")
    page.press("ArrowRight", "ArrowUp")
    assert [field(name, exact=True).input_value() for name in ("x", "y")] == ["2.55", "2.55"]
    page.press("Escape", "Tab", "f", "Enter")
    page.wait(f"{heading}('Thruster')")
    page.press("ArrowDown", ",")
    assert [field(name, exact=True).input_value() for name in ("Direction", "y")] == ["105", "2.45"]
    page.press("p", "Enter")
    page.wait(f"{heading}('Polygon')")
    page.press("m", "Enter", "Escape")
    page.wait_counts(2, 1, 2)
    page.press("Tab", "+", "+")
    assert field("Width", exact=True).input_value() == "0.726"
    page.press("Escape", "Shift+Tab", "w", "Enter")  # with a thruster selected there is no shape to join
    page.wait("#hint.shown:has-text('Select a shape first')")


def test_problems_are_shown_where_they_are(page):
    page.open()
    page.page.click("#file-menu")
    page.page.click(".menu >> text=New level")
    page.press("c")
    page.drag((1, 1), (1.4, 1))
    page.press("b")
    page.drag((1, 0.5), (2, 1.5))
    page.wait("#problems button:has-text('overlap by')")
    page.press("Escape")
    page.page.click("#problems button:has-text('overlap by')")
    page.wait("#inspector h2:has-text('2 shapes')")
    page.press("Control+z")
    page.wait("#problems button:has-text('No shape is blue')")


def test_play_pauses_steps_rewinds_and_loses(page, server, lander):
    lander = lander | {"name": "Falls on red"}
    server.ask("/api/levels/falls", {"level": lander, "overwrite": True}, "PUT")
    page.open()
    page.press("Control+o")
    page.page.click("dialog .list >> text=falls")
    page.wait(".fine")
    page.press("Space")
    page.wait(".control >> nth=1")
    assert page.page.locator(".control button").all_inner_texts() == ["←", "→"]
    page.wait(".banner.lost:has-text('Green touched red')")
    page.press("r")
    page.wait(".banner", state="hidden")
    page.press("p")
    page.wait("#pause[title='Go on (P)']")
    page.press("Backspace")
    page.wait(".clock span:text('0.0 s')")
    page.press(".", ".", ".", ".", ".", ".")
    page.wait(".clock span:text('0.2 s')")
    page.page.click("#export")
    with page.page.expect_download() as waiting:
        page.page.click(".menu >> text=Replay (JSON)")
    assert waiting.value.suggested_filename == "Falls_on_red_replay.json"
    saved = json.loads(waiting.value.path().read_text())
    assert saved["level"] == "Falls on red" and sum(steps for steps, _ in saved["runs"]) == 6


def test_the_gallery_finds_and_plays(page):
    page.open()
    page.press("g")
    page.wait(".card >> nth=70")
    page.wait('.card[data-level=lift_off] .tag:has-text("agent 100 %")')
    page.page.fill("input[type=search]", "lunar")
    page.wait(".card[data-level=cart_pole]", state="hidden")
    page.page.click(".filter >> text=Medium")
    page.page.click(".card[data-level=lunar_lander]")
    page.wait("body[data-view=play] .control")


def test_on_a_small_touch_screen(chromium, server):
    context = chromium.new_context(
        viewport={"width": 390, "height": 780}, has_touch=True, is_mobile=True, reduced_motion="reduce"
    )
    page = Page(context, server.address).open()
    page.page.tap("#toggle-play")
    page.wait("body[data-view=play] .control button")
    button = page.page.locator(".control button").nth(1).bounding_box()
    assert button["height"] >= 40 and button["width"] >= 40
    assert page.page.evaluate("() => document.documentElement.scrollWidth") <= 390
    assert page.mistakes == []
    context.close()


def test_imported_files_and_the_theme(page, tmp_path):
    file = tmp_path / "arm.json"
    file.write_text(json.dumps(plain("arm_up")))
    page.open()
    page.page.click("#file-menu")
    with page.page.expect_file_chooser() as chosen:
        page.page.click(".menu >> text=Import a file")
    chosen.value.set_files(file)
    page.wait(".toast:has-text('Imported arm.json')")
    file.write_text("{}")
    page.page.click("#file-menu")
    with page.page.expect_file_chooser() as chosen:
        page.page.click(".menu >> text=Import a file")
    chosen.value.set_files(file)
    page.wait(".toast.bad:has-text('arm.json')")
    page.mistakes.clear()  # the browser logs an answer of 400
    page.page.click("#theme")
    page.wait("html[data-theme=dark]")
