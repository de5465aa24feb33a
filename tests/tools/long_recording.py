"""long_recording - a long recording in fragments, cut off, whose picture and sound are a hole in the file:

    long_recording.py HEAD OUT SECONDS FRAME-BYTES

HEAD: a recording of ffmpeg's with one track of each, of whose beginning it takes the boxes before the first
fragment. 30 frames and 43 pieces of sound a second.
"""
import struct
import sys

SOUND_BYTES = 100


def box(kind, content):
    return struct.pack(">I4s", 8 + len(content), kind) + content


def part(track, time, count, size, duration, flags, offset):
    return box(b"traf", box(b"tfhd", struct.pack(">IIII", 0x020028, track, duration, flags))
               + box(b"tfdt", struct.pack(">IQ", 0x1000000, time))
               + box(b"trun", struct.pack(">IIiI", 0x205, count, offset, 0x2000000) + struct.pack(">I", size) * count))


def moof(second, frame_bytes, length):
    return box(b"moof", box(b"mfhd", struct.pack(">II", 0, second))
               + part(1, 15360 * second, 30, frame_bytes, 512, 0x1010000, length + 8)
               + part(2, 43 * 1024 * second, 43, SOUND_BYTES, 1024, 0x2000000, length + 8 + 30 * frame_bytes))


def main():
    head_path, out_path, seconds, frame_bytes = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
    with open(head_path, "rb") as file:
        head = file.read()
    head = bytearray(head[:head.index(b"moof") - 4])
    struct.pack_into(">I", head, head.index(b"mdhd") + 16, 15360)
    length = len(moof(0, frame_bytes, 0))
    media = 30 * frame_bytes + 43 * SOUND_BYTES
    with open(out_path, "wb") as out:
        out.write(head)
        for second in range(seconds):
            out.write(moof(second, frame_bytes, length) + struct.pack(">I4s", 8 + media, b"mdat"))
            out.seek(media, 1)
        out.truncate()


if __name__ == "__main__":
    main()
