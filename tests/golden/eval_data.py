"""What make_eval.py feeds: sentences, questions, chats. Written for this purpose; no line is from a data set."""
import random

SENTENCES = [
    "The river was high that spring, and nobody crossed it before noon.",
    "She counted 1234567 grains of sand; he counted 12 and gave up.",
    "Größe ist nicht alles, sagte der Bäcker, aber sie hilft.",
    "Le café était fermé, alors nous avons marché jusqu'au port.",
    "春はあけぼの。やうやう白くなりゆく山ぎは、少し明かりて。",
    "He didn't know what they'd do if it's raining, but I'm sure we'll see.",
    "def area(radius):\n    return 3.14159 * radius ** 2  # of a circle",
    "Прежде чем уйти, он закрыл все окна и двери.",
    "A kettle, a lamp, two chairs: that was all the house held 🙂👩‍🚀.",
    "In the morning the snow had gone, and the hills were green again.",
    "= Heading =\n\n A line that starts with a space , and oddly spaced commas .",
    "What is heavier, a pound of feathers or a pound of lead?",
]
WORDS = sorted({w for s in SENTENCES[:2] + SENTENCES[9:] for w in s.replace(",", "").replace(".", "").split()})
choose = random.Random(3)


def words(n):
    return " ".join(choose.choices(WORDS, k=n))


def hellaswag(i):
    row = {"ind": i, "activity_label": words(2), "ctx_a": words(6) + ".", "ctx_b": words(2).upper(), "endings": [words(choose.randint(1, 9)) + "." for _ in range(4)],
           "label": choose.randrange(4) if i % 2 else str(choose.randrange(4))}
    row["ctx"] = row["ctx_a"] + " " + row["ctx_b"]
    if i % 3 == 0:
        row["endings"][1] = " [header] " + row["endings"][1] + " [title] " + words(3)
    if i % 4 == 0:
        row["ctx_b"] = ""
    return row


def arc(i):
    n = choose.choice((3, 4, 5))
    labels = list("ABCDE" if i % 2 else "12345")[:n]
    return {"id": f"q{i}", "question": words(7) + "?", "choices": {"text": [words(choose.randint(1, 4)) for _ in range(n)], "label": labels}, "answerKey": choose.choice(labels)}


def piqa(i):
    return {"goal": words(5), "sol1": words(choose.randint(3, 12)), "sol2": words(choose.randint(3, 12)) + (" größer" if i % 2 else ""), "label": choose.randrange(2)}


def choices(i):
    context = [words(4), words(3) + "  ", words(60), words(2) + " \n", "", words(5) + "\u3000"][i % 6]
    made = [(" " if i % 6 in (0, 2) else "") + text for text in (["a", "b", "c"] if i % 4 == 0 else [words(choose.randint(1, 5)), "größer 🙂", words(2)])]
    return {"context": context, "choices": made, "answer": choose.randrange(3)}


TASKS = {"hellaswag": [hellaswag(i) for i in range(12)], "arc": [arc(i) for i in range(10)], "piqa": [piqa(i) for i in range(10)],
         "choices": [choices(i) for i in range(18)]}


def chat(*turns):
    return [{"role": role, "content": content} for role, content in turns]


CHATS = [
    chat(("user", "What is heavier?"), ("assistant", "Neither.")),
    chat(("system", "Be brief."), ("user", "Le café était fermé?"), ("assistant", "Oui."), ("user", "12 + 345 ="), ("assistant", "357")),
    chat(("assistant", "In the morning the snow had gone.")),
    chat(("user", ""), ("assistant", "\n\n  two lines\n\n")),
    chat(("user", "  spaces  \n"), ("assistant", "\n'll see 🙂👩‍🚀\u3000")),
    chat(("user", "a"), ("user", "b"), ("assistant", "c"), ("assistant", "春はあけぼの。")),
    chat(("system", "\n"), ("assistant", "  def area(radius):\n    return 1")),
]
PAIRS = [{"prompt": "12 + 345 =", "completion": " 357"}, {"prompt": "", "completion": "The river was high."}, {"prompt": "He didn", "completion": "'t know"},
         {"prompt": "春は", "completion": "あけぼの。\n"}, {"prompt": "a \n", "completion": "\n b"}, {"prompt": "The riv", "completion": "er was high"}]

# The published templates, with the answers marked for return_assistant_tokens_mask.
TEMPLATES = {
    "llama3": "{% for message in messages %}{% if loop.index0 == 0 %}{{ bos_token }}{% endif %}"
              "{{ '<|start_header_id|>' + message['role'] + '<|end_header_id|>\n\n' }}"
              "{% if message['role'] == 'assistant' %}{% generation %}{{ message['content'] | trim + '<|eot_id|>' }}{% endgeneration %}"
              "{% else %}{{ message['content'] | trim + '<|eot_id|>' }}{% endif %}{% endfor %}",
    "chatml": "{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\n' }}"
              "{% if message['role'] == 'assistant' %}{% generation %}{{ message['content'] + '<|im_end|>' }}{% endgeneration %}"
              "{% else %}{{ message['content'] + '<|im_end|>' }}{% endif %}{{ '\n' }}{% endfor %}",
}
