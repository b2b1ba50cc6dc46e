"""Blackjack: the MDP against exact fractions of another derivation, known values, and games dealt card by card."""

from dataclasses import replace
from fractions import Fraction
from functools import cache

import numpy as np
import pytest

from implementations.tabular.parts.blackjack import HIT, STICK, blackjack, dealer_totals, grown, with_card
from implementations.tabular.parts.mdp import evaluate_policy, greedy, roll_out, solve
from tests.exact.dealt_blackjack import play

RULES = ("plain", "sab", "natural")
CARDS = {card: Fraction(4 if card == 10 else 1, 13) for card in range(1, 11)}
ROUNDING = 1e-14  # some tens of sums of chances, each of at most 1
PRINTED = 5e-9  # half a unit of the eighth decimal


# The game once more, in exact fractions: a hand is the sum of its cards with aces as 1, and whether it has an ace.


def worth(points, ace):
    return points + 10 if ace and points <= 11 else points


@cache
def exact_dealer(points, ace):
    """Law of the dealer's final sum; 0 is bust."""
    if worth(points, ace) >= 17:
        return {worth(points, ace) if points <= 21 else 0: Fraction(1)}
    law = {}
    for card, chance in CARDS.items():
        for total, of_total in exact_dealer(points + card, ace or card == 1).items():
            law[total] = law.get(total, 0) + chance * of_total
    return law


def exact_stick(points, ace, dealer, natural, rules):
    """Expected reward, by the dealer's second card, as the rules are told in words."""
    expected = Fraction(0)
    for hole, of_hole in CARDS.items():
        for total, chance in exact_dealer(dealer + hole, 1 in (dealer, hole)).items():
            own = worth(points, ace)
            reward = Fraction((own > total) - (own < total))
            if natural and rules == "sab" and {dealer, hole} != {1, 10}:
                reward = Fraction(1)
            if natural and rules == "natural" and reward == 1:
                reward = Fraction(3, 2)
            expected += of_hole * chance * reward
    return expected


@cache
def exact_values(points, ace, dealer, natural, rules):
    """(stick, hit) of the best play."""
    hit = Fraction(0)
    for card, chance in CARDS.items():
        if points + card > 21:
            hit -= chance
        else:
            hit += chance * exact_best(points + card, ace or card == 1, dealer, False, rules)
    return exact_stick(points, ace, dealer, natural, rules), hit


def exact_best(points, ace, dealer, natural, rules):
    stick, hit = exact_values(points, ace, dealer, natural, rules)
    return hit if worth(points, ace) < 12 else max(stick, hit)


def exact_deal(rules):
    return sum(
        CARDS[dealer]
        * CARDS[first]
        * CARDS[second]
        * exact_best(first + second, 1 in (first, second), dealer, {first, second} == {1, 10}, rules)
        for dealer in CARDS
        for first in CARDS
        for second in CARDS
    )


@pytest.mark.parametrize("rules", RULES)
def test_best_play_is_that_of_exact_fractions(rules):
    game = blackjack(rules)
    values, action_values = solve(game.mdp)
    for usable in (False, True):
        for total in range(12, 22):
            for dealer in range(1, 11):
                expected = exact_values(total - 10 * usable, usable, dealer, False, rules)
                found = action_values[game.state(total, usable, dealer)]
                np.testing.assert_allclose(found, [float(value) for value in expected], rtol=0, atol=ROUNDING)
    for dealer in range(1, 11) if rules != "plain" else ():
        expected = exact_values(11, True, dealer, True, rules)
        found = action_values[200 + dealer - 1]
        np.testing.assert_allclose(found, [float(value) for value in expected], rtol=0, atol=ROUNDING)
    assert game.mdp.start @ values == pytest.approx(float(exact_deal(rules)), abs=ROUNDING)


@pytest.mark.parametrize("dealer", range(1, 11))
def test_dealers_sums_are_those_of_exact_fractions(dealer):
    found, expected = dealer_totals(dealer), exact_dealer(dealer, dealer == 1)
    assert sum(chance for total, chance in found.items() if total > 21) == pytest.approx(float(expected[0]), abs=1e-15)
    for total in range(17, 22):
        assert found[total] == pytest.approx(float(expected[total]), abs=1e-15)
    assert min(found) == 17


# Known values.


@pytest.mark.parametrize(
    ("rules", "states", "best"),
    [("plain", 203, -0.04655598), ("sab", 213, -0.04311311), ("natural", 214, -0.02572918)],
)
def test_value_of_a_fresh_deal(rules, states, best):
    game = blackjack(rules)
    values, _ = solve(game.mdp)
    assert game.mdp.states == states
    assert game.mdp.start @ values == pytest.approx(best, abs=PRINTED)
    # What a natural is worth changes none of the 200 states in which a player has another hand.
    assert game.table(values).mean() == pytest.approx(0.09423861, abs=PRINTED)


def test_values_of_sticking_on_20():
    game = blackjack()
    values = evaluate_policy(game.mdp, game.stick_from(20))
    assert game.mdp.start @ values == pytest.approx(-0.35355402, abs=PRINTED)
    assert values[game.state(13, True, 2)] == pytest.approx(-0.27720419, abs=PRINTED)


def test_best_play_is_the_books():
    """Figure 5.2; the lowest sum to stick on, against ace to ten."""
    game = blackjack()
    sticks = game.table(greedy(solve(game.mdp)[1])[:, STICK])
    thresholds = 12 + sticks.argmax(axis=1)
    assert thresholds.tolist() == [[17, 13, 13, 12, 12, 12, 17, 17, 17, 17], [19, 18, 18, 18, 18, 18, 18, 18, 19, 19]]
    assert (np.diff(sticks, axis=1) >= 0).all()  # on a sum to stick on, larger ones are too


def test_close_calls():
    game = blackjack()
    _, action_values = solve(game.mdp)
    gaps = action_values[:, STICK] - action_values[:, HIT]
    printed = {
        (12, False, 4): 0.0025,
        (16, False, 10): -0.0065,
        (12, False, 6): 0.0168,
        (12, False, 3): -0.0186,
        (18, True, 1): -0.0393,
        (18, True, 10): -0.0404,
    }
    for hand, gap in printed.items():
        assert gaps[game.state(*hand)] == pytest.approx(gap, abs=5e-5)
    smallest = game.state(12, False, 4)
    assert np.abs(gaps[:200]).argmin() == smallest
    assert gaps[smallest] == pytest.approx(0.00247, abs=5e-6)


def test_best_play_sticks_on_a_natural():
    for rules in ("sab", "natural"):
        _, action_values = solve(blackjack(rules).mdp)
        assert (action_values[200:210, STICK] > action_values[200:210, HIT] + 0.1).all()


# Rows of the tables.


def test_hitting_and_sticking_step_by_step():
    game = blackjack()
    p, lose, draw, win = game.mdp.transition, 200, 201, 202

    def row(hand, action):
        chances = p[game.state(*hand), action]
        return {int(to): pytest.approx(chances[to]) for to in np.flatnonzero(chances)}

    # 20 without a usable ace: an ace makes 21, all else is bust.
    assert row((20, False, 5), HIT) == {game.state(21, False, 5): 1 / 13, lose: 12 / 13}
    # 21 with a usable ace: a card counts beside an ace of 1.
    soft = {game.state(11 + card, False, 5): 1 / 13 for card in range(1, 10)}
    assert row((21, True, 5), HIT) == soft | {game.state(21, False, 5): 4 / 13}
    # Two aces: one of them is usable until a ten comes.
    aces = {game.state(12 + card, True, 5): 1 / 13 for card in range(1, 10)}
    assert row((12, True, 5), HIT) == aces | {game.state(12, False, 5): 4 / 13}
    # Below 17 a player who sticks wins where the dealer is bust, and never draws.
    bust = sum(chance for total, chance in dealer_totals(5).items() if total > 21)
    assert row((16, True, 5), STICK) == {win: bust, lose: 1 - bust}
    assert p[game.state(19, False, 5), STICK, draw] == dealer_totals(5)[19]


def test_rewards_come_at_the_end_only():
    for rules, rewards in (("plain", [-1, 0, 1]), ("sab", [-1, 0, 1]), ("natural", [-1, 0, 1, 1.5])):
        mdp = blackjack(rules).mdp
        assert mdp.gamma == 1
        ends = np.flatnonzero(mdp.terminal)
        assert ends.tolist() == list(range(mdp.states - len(rewards), mdp.states))
        assert not mdp.reward[~mdp.terminal][:, :, ~mdp.terminal].any()
        assert (mdp.reward[~mdp.terminal][:, :, ends] == rewards).all()
    assert (blackjack("natural").mdp.transition[:200, :, -1] == 0).all()  # 1.5 is for naturals only


def test_first_decisions_of_a_fresh_deal():
    plain, sab = blackjack("plain"), blackjack("sab")
    # 2 * 4/13 * 1/13 of the hands are naturals, a part of the hands of 21.
    naturals = sab.mdp.start[200:210]
    np.testing.assert_allclose(naturals, [8 / 13**3] * 9 + [32 / 13**3], atol=1e-16)
    soft_21 = sab.state(21, True, 1)
    np.testing.assert_allclose(plain.mdp.start[190:200], sab.mdp.start[190:200] + naturals, atol=1e-16)
    assert sab.mdp.start[soft_21] > 0  # such as 5, 5, ace: a natural takes two cards
    # 12 with a usable ace is two aces, whatever is taken below 12.
    assert plain.table(plain.mdp.start)[1, 0].sum() == pytest.approx(1 / 169, abs=1e-16)


def test_a_hand_grows_by_its_cards():
    assert with_card((0, False), 1) == (11, True)
    assert with_card((11, True), 1) == (12, True)
    assert with_card((11, False), 1) == (12, False)
    assert with_card((10, False), 1) == (21, True)
    assert with_card((16, True), 10) == (16, False)
    assert with_card((12, False), 10) == (22, False)
    law = grown((10, False), 12)
    assert law == pytest.approx(
        {(21, True): 1 / 13, (20, False): 4 / 13} | {(10 + card, False): 1 / 13 for card in range(2, 10)}
    )
    assert grown((17, True), 17) == {(17, True): 1.0}


def test_states_and_policies():
    game = blackjack("sab")
    assert game.table(np.arange(213.0))[1, 13 - 12, 2 - 1] == game.state(13, True, 2)
    sticks = game.stick_from(18)[:, STICK]
    assert (game.table(sticks)[:, :6] == 0).all()
    assert (game.table(sticks)[:, 6:] == 1).all()
    assert (sticks[200:210] == 1).all()  # a natural is a 21
    assert (game.stick_from(22)[:210, HIT] == 1).all()
    assert (game.stick_from(12)[:, STICK] == 1).all()


# Games dealt card by card.

GAMES = 200_000


def policies(game):
    """By name, of states in which to stick: fixed sums, the best play, and evenly drawn chances."""
    chances = np.random.default_rng(5).random(game.mdp.states)
    return {
        "stick on 12": game.stick_from(12),
        "stick on 17": game.stick_from(17),
        "stick on 20": game.stick_from(20),
        "never stick": game.stick_from(22),
        "best": greedy(solve(game.mdp)[1]),
        "random": np.stack([chances, 1 - chances], axis=1),
    }


def chances_of_ends(game, policy):
    """Chance of each terminal state after a fresh deal: the value where only that one is rewarded, by 1."""
    for end in np.flatnonzero(game.mdp.terminal):
        reward = np.zeros_like(game.mdp.reward)
        reward[:, :, end] = 1
        yield float(game.mdp.start @ evaluate_policy(replace(game.mdp, reward=reward), policy))


def standard_errors(found, expected, deviation, count):
    return abs(found - expected) / (deviation / np.sqrt(count) + ROUNDING)


@pytest.mark.parametrize("rules", RULES)
def test_dealt_games_end_as_often_as_the_mdp_says(rules):
    game = blackjack(rules)
    for seed, policy in enumerate(policies(game).values()):
        returns = play(rules, policy, GAMES, np.random.default_rng(seed))
        rewards = (-1, 0, 1, 1.5) if rules == "natural" else (-1, 0, 1)
        for reward, chance in zip(rewards, chances_of_ends(game, policy), strict=True):
            found = float((returns == reward).mean())
            assert standard_errors(found, chance, np.sqrt(chance * (1 - chance)), GAMES) < 4
        assert np.isin(returns, rewards).all()


@pytest.mark.parametrize("rules", RULES)
def test_values_of_all_states_are_the_means_of_dealt_games(rules):
    game = blackjack(rules)
    policy = policies(game)["random"]
    values, generator = evaluate_policy(game.mdp, policy), np.random.default_rng(1)
    for state in np.flatnonzero(~game.mdp.terminal):
        returns = play(rules, policy, 10_000, generator, int(state))
        # Of the 620 states of the three games, one lies beyond 4.5 standard errors in one of 240 seeds.
        assert standard_errors(returns.mean(), values[state], returns.std(), len(returns)) < 4.5


@pytest.mark.parametrize("rules", RULES)
def test_dealt_games_and_roll_outs_agree_with_the_value(rules):
    game = blackjack(rules)
    mdp, generator = game.mdp, np.random.default_rng(2)
    for policy in (greedy(solve(mdp)[1]), game.stick_from(20)):
        value = mdp.start @ evaluate_policy(mdp, policy)
        episodes = roll_out(mdp, policy, generator.choice(mdp.states, GAMES, p=mdp.start), 30, generator)
        assert episodes.ended.all()
        for returns in (episodes.rewards.sum(1), play(rules, policy, GAMES, generator)):
            assert standard_errors(returns.mean(), value, returns.std(), GAMES) < 4


def test_sticking_on_17_from_any_sum():
    """Sum and usable ace drawn evenly, the dealer's card from the deck: 0.01181 by another program."""
    game = blackjack()
    start = np.zeros(game.mdp.states)
    start[:200] = np.tile([float(chance) for chance in CARDS.values()], 20) / 20
    value = start @ evaluate_policy(game.mdp, game.stick_from(17))
    assert value == pytest.approx(0.01181, abs=5e-6)
    generator = np.random.default_rng(3)
    episodes = roll_out(game.mdp, game.stick_from(17), generator.choice(game.mdp.states, GAMES, p=start), 30, generator)
    returns = episodes.rewards.sum(1)
    assert standard_errors(returns.mean(), value, returns.std(), GAMES) < 4


def test_dealt_games_follow_their_generator_and_leave_the_policy():
    policy = policies(blackjack())["random"]
    kept = policy.copy()
    one, same, other = (play("plain", policy, 70_000, np.random.default_rng(seed)) for seed in (0, 0, 1))
    assert np.array_equal(one, same)
    assert not np.array_equal(one, other)
    assert np.array_equal(policy, kept)
    assert len(play("plain", policy, 0, np.random.default_rng(0))) == 0


# What is refused.


@pytest.mark.parametrize("hand", [(11, False, 5), (22, False, 5), (15, True, 0), (15, True, 11)])
def test_no_state_without_a_decision(hand):
    with pytest.raises(ValueError, match="no decision is made on"):
        blackjack().state(*hand)


@pytest.mark.parametrize("threshold", [11, 23])
def test_thresholds_out_of_range(threshold):
    with pytest.raises(ValueError, match="threshold must lie in"):
        blackjack().stick_from(threshold)


def test_other_rules_policies_and_starts():
    policy, generator = blackjack().stick_from(20), np.random.default_rng(0)
    with pytest.raises(ValueError, match="rules are one of plain, sab, natural"):
        blackjack("casino")
    with pytest.raises(ValueError, match="rules are one of plain, sab, natural"):
        play("casino", policy, 1, generator)
    with pytest.raises(ValueError, match=r"under the rules sab a policy is \(213, 2\)"):
        play("sab", policy, 1, generator)
    with pytest.raises(ValueError, match="no decision is made in state 200"):
        play("plain", policy, 1, generator, 200)
    with pytest.raises(ValueError, match="no decision is made in state -1"):
        play("plain", policy, 1, generator, -1)
