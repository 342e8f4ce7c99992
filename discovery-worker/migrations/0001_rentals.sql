CREATE TABLE `rentals` (
	`requestor` text NOT NULL,
	`provider` text NOT NULL,
	`source` text NOT NULL,
	`seen_at` integer NOT NULL,
	PRIMARY KEY(`requestor`, `provider`)
);
--> statement-breakpoint
CREATE INDEX `rentals_by_requestor` ON `rentals` (`requestor`,`source`,`seen_at`,`provider`);--> statement-breakpoint
CREATE INDEX `rentals_by_provider` ON `rentals` (`provider`,`source`,`seen_at`,`requestor`);