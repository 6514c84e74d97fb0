"""How many agent-steps Mesa does in a second, with a simpler model than ours: one random payment attempt a step under
a fixed line, and nothing else. A peer for the section `economy` of `cargo xtask bench`."""

import time

import mesa


class Member(mesa.Agent):
    def __init__(self, model):
        super().__init__(model)
        self.balance = 0

    def step(self):
        payee = self.random.choice(self.model.members)
        amount = self.random.randint(1, 20)
        if payee is not self and self.balance - amount >= -100:
            self.balance -= amount
            payee.balance += amount


class Circle(mesa.Model):
    def __init__(self, members, seed):
        super().__init__(seed=seed)
        self.members = [Member(self) for _ in range(members)]

    def step(self):
        self.agents.shuffle_do("step")


if __name__ == "__main__":
    circle, days = Circle(1_000, 1), 365
    start = time.perf_counter()
    for _ in range(days):
        circle.step()
    assert sum(member.balance for member in circle.members) == 0
    print(f"{len(circle.members) * days / (time.perf_counter() - start):,.0f} agent-steps/s")
