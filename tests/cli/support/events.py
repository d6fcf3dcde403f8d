"""TensorBoard's event files read by hand: TFRecord framing, masked CRC-32C, the protobuf wire format.

Sources: tensorflow/core/lib/io/record_writer.h (framing and mask), tensorflow/core/util/event.proto and
framework/summary.proto (field numbers), RFC 3720 appendix B.4 (CRC-32C and its test values).
"""
import struct


def crc32c(content):
    crc = 0xFFFFFFFF
    for byte in content:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0x82F63B78 if crc & 1 else 0)
    return crc ^ 0xFFFFFFFF


def masked(content):
    crc = crc32c(content)
    return ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF


def records(content):
    """The payloads, checksums compared."""
    place = 0
    while place < len(content):
        length, check = struct.unpack_from("<QI", content, place)
        if check != masked(content[place:place + 8]):
            raise ValueError(f"the checksum of a length at {place} is wrong")
        payload = content[place + 12:place + 12 + length]
        (check,) = struct.unpack_from("<I", content, place + 12 + length)
        if check != masked(payload):
            raise ValueError(f"the checksum of a payload at {place} is wrong")
        yield payload
        place += 16 + length


def varint(content, place):
    value = shift = 0
    while True:
        byte = content[place]
        place += 1
        value |= (byte & 127) << shift
        shift += 7
        if byte < 128:
            return value, place


def fields(message):
    """(number, value) pairs of a protobuf message; values as bytes, or integers for varints."""
    place = 0
    while place < len(message):
        key, place = varint(message, place)
        kind = key & 7
        if kind == 0:
            value, place = varint(message, place)
        elif kind == 2:
            size, place = varint(message, place)
            value, place = message[place:place + size], place + size
            if len(value) != size:
                raise ValueError("a field reaches beyond its message")
        elif kind in (1, 5):
            size = 8 if kind == 1 else 4
            value, place = message[place:place + size], place + size
        else:
            raise ValueError(f"wire type {kind}")
        yield key >> 3, value


def events(content):
    """Dictionaries with wall_time, step and, where there are any, version and scalars {tag: value}."""
    for record in records(content):
        event = {"step": 0, "scalars": {}}
        for number, value in fields(record):
            if number == 1:
                (event["wall_time"],) = struct.unpack("<d", value)
            elif number == 2:
                event["step"] = value
            elif number == 3:
                event["version"] = value.decode()
            elif number == 5:
                for value_number, summary_value in fields(value):
                    assert value_number == 1, "a summary holds values"
                    parts = dict(fields(summary_value))
                    (event["scalars"][parts[1].decode()],) = struct.unpack("<f", parts[2])
        yield event
