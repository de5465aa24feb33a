"""play - opens a video in a headless Chromium, and seeks: play.py URL SECONDS

Fails unless it plays for SECONDS (within 0.2), can be sought to its middle, and has another picture there than
at its beginning.
"""
import sys

from browser import Browser

VIDEO = "document.querySelector('video')"
# A coarse picture of what is shown.
PICTURE = """(() => {
    const canvas = document.createElement('canvas'), context = canvas.getContext('2d');
    canvas.width = canvas.height = 32;
    context.drawImage(%s, 0, 0, 32, 32);
    return [...context.getImageData(0, 0, 32, 32).data];
})()""" % VIDEO


def picture_at(browser, seconds):
    browser.evaluate("%s.currentTime = %f" % (VIDEO, seconds))
    browser.wait("(v => !v.seeking && v.readyState >= 2 && Math.abs(v.currentTime - %f) < 0.1)(%s)" % (seconds, VIDEO), 60)
    return browser.evaluate(PICTURE)


def main():
    url, seconds = sys.argv[1], float(sys.argv[2])
    browser = Browser()
    try:
        browser.go(url)
        browser.wait("%s?.readyState >= 1" % VIDEO, 60)
        browser.evaluate("%s.pause()" % VIDEO)
        duration = browser.evaluate(VIDEO + ".duration")
        if abs(duration - seconds) > 0.2:
            sys.exit("it plays %s s, not %s" % (duration, seconds))
        first, middle = picture_at(browser, 0.5), picture_at(browser, duration / 2)
        for name, picture in (("beginning", first), ("middle", middle)):
            if len(set(picture)) < 16:
                sys.exit("there is no picture at the " + name)
        if first == middle:
            sys.exit("it shows the same picture wherever it is sought to")
        error = browser.evaluate("%s.error?.message ?? ''" % VIDEO)
        if error:
            sys.exit("the player complains: " + error)
    finally:
        browser.close()


if __name__ == "__main__":
    main()
