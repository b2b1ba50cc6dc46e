"""Tasks of the preferences. Training does not import this list, so that a new task re-runs nothing else."""

from benchmarks.families.preferences.problems import Arithmetic, Compared, Continuation, Questions

STYLES = {"worked": 0.3, "direct": 0.3, "untagged": 0.2, "careless": 0.2}
SENTIMENT = "siebert/sentiment-roberta-large-english"  # arXiv 2305.18290, section 6.1
JUDGE = "Qwen/Qwen2.5-7B-Instruct"  # ours; the paper asks gpt-4-0314

TASKS = (
    Continuation(name="reviews", dataset="reviews", shortest=2, longest=8, most=24, held_out=4),
    Arithmetic(name="arithmetic", digits=2, train=6000, valid=500, test=500, styles=STYLES, format_weight=0.1, most=32),
    # Of the DPO paper, sections 6.1 and 6.2. Tokens of a response in the study of sentiment, and the texts that are
    # kept from its supervised training: ours. 512 tokens together: author code; how they are parted is ours.
    Continuation(
        name="imdb", dataset="imdb", shortest=2, longest=8, most=64, held_out=2, judge=SENTIMENT,
        pretrained="openai-community/gpt2-large",
    ),
    Compared(
        name="tldr", dataset="tldr_pairs", pretrained="EleutherAI/gpt-j-6b", question="summaries", judge=JUDGE,
        longest=448, most=64, begins="SUBREDDIT:",
    ),
    Compared(
        name="hh", dataset="hh", pretrained="EleutherAI/pythia-2.8b", question="dialogues", judge=JUDGE,
        longest=256, most=256, turns=1,
    ),
    # DeepSeekMath, sections 3 and 4; its reward is a model, ours the answer alone. 512 tokens of a question hold all.
    Questions(
        name="gsm8k", dataset="gsm8k", pretrained="deepseek-ai/deepseek-math-7b-instruct", template="chain_of_thought",
        format_weight=0.0, longest=512, most=1024,
    ),
    # R1-Zero's recipe from a small base model: ours.
    Questions(
        name="gsm8k_zero", dataset="gsm8k", pretrained="Qwen/Qwen2.5-1.5B", template="r1_zero", format_weight=0.1,
        longest=512, most=512, answers=16,
    ),
)  # fmt: skip
