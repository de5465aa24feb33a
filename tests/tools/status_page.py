"""status_page - what a person sees and does on the status page. Called by status_page.sh:

    status_page.py CASE URL [ARGUMENT...]      SCREENSHOTS=DIR keeps pictures
"""
import os
import sys
import time

from browser import Browser

READY = "!document.getElementById('content').hidden"


def text(browser, selector):
    return browser.evaluate("document.querySelector(%r)?.textContent ?? null" % selector)


def count(browser, selector):
    return browser.evaluate("document.querySelectorAll(%r).length" % selector)


def picture(browser, name):
    directory = os.environ.get("SCREENSHOTS")
    if directory:
        browser.screenshot(os.path.join(directory, name + ".png"))


def check(condition, what):
    if not condition:
        raise AssertionError(what)


def fits(browser, what):
    width, room = browser.evaluate("[document.documentElement.scrollWidth, innerWidth]")
    check(width <= room, "%s: %d pixels wide in a window of %d" % (what, width, room))


def open_page(browser, url, ready=READY):
    browser.go(url + "/")
    browser.wait("document.readyState === 'complete' && " + ready)


def quiet(browser):
    check(not browser.seen, "the browser complains:\n" + "\n".join(browser.seen))


def every_look(browser, url, name):
    open_page(browser, url)
    for width, height in ((375, 812), (1280, 800)):
        for dark in (False, True):
            browser.size(width, height, dark)
            fits(browser, name)
            picture(browser, "%s-%s-%d-%s" % (name, browser.evaluate("document.documentElement.lang"), width,
                                              "dark" if dark else "light"))


def case_empty(browser, url):
    every_look(browser, url, "empty")
    check(text(browser, "#headline") == "There are no recordings yet.", text(browser, "#headline"))
    check(count(browser, ".recording") == 0, "a recording out of nothing")


def case_many(browser, url, recordings):
    total = int(recordings)
    every_look(browser, url, "many-" + recordings)
    check(text(browser, "#tabs button .count") == recordings, "all: " + text(browser, "#tabs button .count"))
    check(count(browser, ".recording") <= 110, "more than a page is shown")
    safe = sum(1 for i in range(1, total + 1) if i % 50 not in (1, 2, 3, 4))
    browser.evaluate("document.querySelectorAll('#tabs button')[4].click()")
    shown = min(50, safe)
    browser.wait("document.querySelectorAll('.recording.good').length === %d && "
                 "document.querySelectorAll('.recording').length === %d" % (shown, shown))
    check(browser.evaluate("document.getElementById('pager').hidden") == (safe <= 50), "the pager")
    if safe > 50:
        first = text(browser, ".recording .name")
        check(text(browser, "#page-text") == "1–50 of %d" % safe, text(browser, "#page-text"))
        browser.evaluate("document.getElementById('older').click()")
        browser.wait("document.getElementById('page-text').textContent === '51–100 of %d'" % safe)
        check(text(browser, ".recording .name") != first, "the same page again")
        browser.evaluate("document.getElementById('newer').click()")
        browser.wait("document.getElementById('page-text').textContent.startsWith('1–')")


def case_history(browser, url):
    """By the keyboard alone."""
    browser.size(1280, 800)
    open_page(browser, url)
    check(text(browser, "#headline") == "1 recording needs a person: open it to see what to do.", text(browser, "#headline"))
    browser.evaluate("document.querySelector('.recording .open').focus()")
    browser.press("Enter", 13)
    browser.wait("document.querySelector('.details:not([hidden]) ol li')")
    check(browser.evaluate("document.activeElement.getAttribute('aria-expanded')") == "true", "not announced")
    check("a run begins" in text(browser, ".details"), "no history")
    check("jibri-finalize retry 1" in text(browser, ".details code"), "no command to type")
    browser.evaluate("document.activeElement.id = 'focused'")
    time.sleep(3.5)  # a refresh, which must not take the focus away nor close it
    check(browser.evaluate("document.activeElement.id") == "focused", "the focus is gone")
    check(count(browser, ".details:not([hidden])") == 1, "it closed by itself")
    bar = browser.evaluate("(p => p.getAttribute('aria-label') + '|' + p.value / p.max)"
                           "([...document.querySelectorAll('.recording progress')].find(p => !p.hidden))")
    label, value = bar.split("|")
    check(label.startswith("41 %") and abs(float(value) - 0.419) < 0.01, "progress: " + bar)
    browser.press("Enter", 13)
    browser.wait("!document.querySelector('.details:not([hidden])')")
    picture(browser, "history")


def case_plays(browser, url):
    open_page(browser, url)
    for meeting, words in ((10001, "cut off, plays up to 1:04"), (10002, "plays 1:04"), (10003, "incomplete, does not play")):
        card = "[...document.querySelectorAll('.recording')].find(r => r.querySelector('.name').textContent.startsWith('%d'))" % meeting
        browser.evaluate(card + ".querySelector('.open').click()")
        browser.wait(card + ".querySelector('.details ul li')")
        for place in (".about", ".details ul li"):
            about = browser.evaluate(card + ".querySelector('%s').textContent" % place)
            check(words in about.split(" · "), about)


def case_russian(browser, url):
    every_look(browser, url, "russian")
    check(browser.evaluate("document.documentElement.lang") == "ru", "not in Russian")
    check(text(browser, "#headline") == "1 запись требует вмешательства: откройте её, чтобы узнать, что делать.", text(browser, "#headline"))
    check("оборвана, воспроизводится до 1:02:34" in text(browser, ".recording .about"), text(browser, ".recording .about"))
    check(browser.evaluate("document.title") == "● Записи – jibri-7", browser.evaluate("document.title"))


def case_hostile(browser, url):
    every_look(browser, url, "hostile")
    browser.evaluate("document.querySelectorAll('.recording .open').forEach(b => b.click())")
    browser.wait("[...document.querySelectorAll('.details')].every(d => d.querySelector('h3:last-of-type + *'))")
    time.sleep(0.5)
    fits(browser, "hostile names, opened")
    picture(browser, "hostile-opened")
    check(browser.evaluate("window.hacked === undefined"), "a name's script ran")
    check(count(browser, "main img, main script, main iframe, main svg, main object, main a, main style") == 0,
          "a name became markup")
    check(browser.evaluate("[...document.querySelectorAll('*')].every(e => [...e.attributes].every(a => "
                           "!a.name.startsWith('on')))"), "a name became a handler")
    body = text(browser, "main")
    check("<img src=x onerror=" in body, "a name isn't shown as it is")
    check("⟨U+202E⟩" in body, "what turns text around isn't spelled out")
    check("\u202e" not in body, "text is turned around")
    check(not any(ord(c) < 32 and c not in "\n\t " for c in body), "a control character")
    quiet(browser)


def case_policy(browser, url):
    """Scripts that get into the page in spite of all that are not run."""
    open_page(browser, url)
    quiet(browser)
    browser.evaluate("(() => { const s = document.createElement('script'); "
                     "try { s.text = 'window.hacked = 1'; document.body.append(s); } catch (e) { console.error(String(e)); } })()")
    browser.evaluate("(() => { try { document.body.setAttribute('onclick', 'window.hacked = 2'); } catch (e) { console.error(String(e)); } })()")
    browser.evaluate("document.body.click()")
    markup = browser.evaluate("(() => { try { document.body.innerHTML = '<p>'; return 'taken'; } "
                              "catch (e) { return 'refused'; } })()")
    check(markup == "refused", "markup is taken from text")
    image = browser.evaluate("new Promise(done => { const i = new Image(); i.onload = () => done('loaded'); "
                             "i.onerror = () => done('refused'); i.src = '/page.css'; })")
    check(image == "refused", "images are loaded")
    elsewhere = browser.evaluate("fetch('http://127.0.0.2:1/').then(() => 'sent', e => 'refused')")
    check(elsewhere == "refused", "it talks to others")
    check(browser.evaluate("window.hacked === undefined"), "a script ran")
    check(any("Content Security Policy" in line for line in browser.seen), "nothing was refused by the policy")


def case_token(browser, url, token):
    form = "!document.getElementById('token-form').hidden"
    browser.size(375, 812)
    open_page(browser, url, form)
    picture(browser, "token")
    fits(browser, "token")
    enter = ("(t => { document.getElementById('token').value = t; "
             "document.getElementById('token-form').requestSubmit(); })(%r)")
    browser.evaluate(enter % "wrong")
    browser.wait("!document.getElementById('token-wrong').hidden")
    browser.evaluate(enter % token)
    browser.wait(READY + " && document.getElementById('token-form').hidden")
    open_page(browser, url)  # it is remembered as long as the tab is open
    check(browser.evaluate("location.search + location.hash + document.cookie") == "", "the token is where it leaks")
    check(browser.evaluate("document.documentElement.outerHTML").find(token) < 0, "the token is in the page")


def case_contact(browser, url, pid, again):
    browser.size(375, 812)
    open_page(browser, url)
    os.kill(int(pid), 15)
    browser.wait("document.getElementById('contact').className === 'lost'")
    check(text(browser, "#contact").startswith("No contact since "), text(browser, "#contact"))
    check(count(browser, ".recording") > 0, "what was known is gone")
    picture(browser, "no-contact")
    with open(again, "w"):
        pass  # status_page.sh starts it again
    browser.wait("document.getElementById('contact').className === ''")


def main():
    name, url, arguments = sys.argv[1], sys.argv[2], sys.argv[3:]
    browser = Browser("ru-RU" if name == "russian" else "en-US")
    try:
        globals()["case_" + name](browser, url, *arguments)
        if name not in ("policy", "token", "contact"):
            quiet(browser)
    except (AssertionError, TimeoutError) as problem:
        picture(browser, "failed-" + name)
        sys.exit("%s: %s" % (name, problem))
    finally:
        browser.close()


if __name__ == "__main__":
    main()
