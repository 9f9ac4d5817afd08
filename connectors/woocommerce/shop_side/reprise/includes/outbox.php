<?php
/**
 * What is to be told to Reprise: kept first, then sent, and sent again until it was taken.
 *
 * @package Reprise
 */

namespace Reprise;

defined( 'ABSPATH' ) || exit;

/**
 * One row for each subject. A basket's newer state takes the place of an older one that has not left yet: only the newest
 * counts. Nothing is sent while a shopper waits for a page.
 */
final class Outbox {
	const BELL     = 'reprise_deliver';
	const KEPT     = 'reprise_message_kept';
	const GROUP    = 'reprise';
	/** Says of which version the table is. */
	const TABLE_OPTION = 'reprise_outbox';
	/** For a minute after a message was not taken no page tries to send one itself. */
	const SILENT = 'reprise_silent';
	const AT_ONCE  = 20;
	const TIMEOUT  = 5;
	const LAST_TRY = 14;
	const LONGEST  = 43200;

	public static function start(): void {
		self::install();
		add_action( self::BELL, array( self::class, 'deliver' ) );
		// After WooCommerce has saved its session, which it does at 20.
		add_action( 'shutdown', array( self::class, 'leave' ), 30 );
	}

	/** The table is made where it is missing: by the first page of each site of a network, too. */
	public static function install(): void {
		global $wpdb;
		if ( get_option( self::TABLE_OPTION ) === VERSION ) {
			return;
		}
		require_once ABSPATH . 'wp-admin/includes/upgrade.php';
		dbDelta(
			"CREATE TABLE {$wpdb->prefix}reprise_outbox (
			subject varchar(100) NOT NULL,
			message_id varchar(64) NOT NULL,
			body longtext NOT NULL,
			tries smallint unsigned NOT NULL DEFAULT 0,
			due_at bigint unsigned NOT NULL,
			PRIMARY KEY  (subject),
			KEY due_at (due_at)
			) {$wpdb->get_charset_collate()};"
		);
		update_option( self::TABLE_OPTION, VERSION );
		self::put( 'hello', 'ping', array( 'plugin' => VERSION ) );
	}

	/** The plugin is switched off: what has not left waits for it to be switched on again. */
	public static function rest(): void {
		if ( function_exists( 'as_unschedule_all_actions' ) ) {
			as_unschedule_all_actions( self::BELL, array(), self::GROUP );
		}
	}

	/**
	 * Keep what is to be told about a subject.
	 *
	 * @param string $subject What it is about; what waits under the same name is replaced.
	 * @param string $type    The type of the message.
	 * @param array  $data    Its content.
	 * @return string[]|null Its id and body, or null where it could not be kept.
	 */
	public static function put( string $subject, string $type, array $data ): ?array {
		global $wpdb;
		$written = self::written( $type, $data );
		$row     = array(
			'subject'    => $subject,
			'message_id' => $written['id'],
			'body'       => $written['body'],
			'tries'      => 0,
			'due_at'     => time(),
		);
		if ( ! $wpdb->replace( self::table(), $row, array( '%s', '%s', '%s', '%d', '%d' ) ) ) {
			// The shopper's page goes on: what is lost here is found again when Reprise reads the shop's orders.
			self::log( "$type could not be kept" );
			return null;
		}
		do_action( self::KEPT );
		return $written;
	}

	/** A message for the shopper's page to hand on, which nobody else is told. */
	public static function message( string $type, array $data ): ?array {
		$written = self::written( $type, $data );
		return self::signed( $written['id'], $written['body'] );
	}

	/** A body with what the headers of its delivery would say, for the shopper's page to hand on. */
	public static function signed( string $id, string $body ): ?array {
		$connection = Connection::current();
		if ( null === $connection ) {
			return null;
		}
		$headers = $connection->sign( $id, time(), $body );
		return array(
			'id'        => $id,
			'timestamp' => $headers['webhook-timestamp'],
			'signature' => $headers['webhook-signature'],
			'body'      => $body,
		);
	}

	/** When the page is finished: send what waits if the shopper has it already, else leave that to the shop's queue. */
	public static function leave(): void {
		if ( ! did_action( self::KEPT ) ) {
			return;
		}
		$at_once = function_exists( 'fastcgi_finish_request' ) && ! get_transient( self::SILENT );
		if ( $at_once && fastcgi_finish_request() ) {
			self::deliver();
		} elseif ( function_exists( 'as_enqueue_async_action' ) ) {
			as_enqueue_async_action( self::BELL, array(), self::GROUP, true );
		}
	}

	/** Send what is due, a row at a time, and come back for what is left. One that is not taken ends the round. */
	public static function deliver(): void {
		$connection = Connection::current();
		if ( null === $connection ) {
			return;
		}
		foreach ( self::due() as $row ) {
			if ( ! self::send( $connection, $row ) ) {
				set_transient( self::SILENT, 1, MINUTE_IN_SECONDS );
				break;
			}
		}
		self::come_back();
	}

	/** Forget whatever waits to be told and names this address. */
	public static function forget( string $email ): void {
		global $wpdb;
		$named = '%' . $wpdb->esc_like( trim( (string) wp_json_encode( strtolower( $email ) ), '"' ) ) . '%';
		// phpcs:ignore WordPress.DB -- The table is ours.
		$wpdb->query( $wpdb->prepare( 'DELETE FROM ' . self::table() . ' WHERE LOWER(body) LIKE %s', $named ) );
	}

	/** @return string[] */
	private static function written( string $type, array $data ): array {
		$body = array(
			'type'      => $type,
			'timestamp' => Basket::moment(),
			'data'      => $data,
		);
		return array(
			'id'   => 'msg_' . bin2hex( random_bytes( 16 ) ),
			'body' => (string) wp_json_encode( $body, JSON_PARTIAL_OUTPUT_ON_ERROR ),
		);
	}

	private static function due(): array {
		global $wpdb;
		// phpcs:ignore WordPress.DB -- The table is ours.
		$found = $wpdb->get_results( $wpdb->prepare( 'SELECT * FROM ' . self::table() . ' WHERE due_at <= %d ORDER BY due_at LIMIT %d', time(), self::AT_ONCE ) );
		return (array) $found;
	}

	private static function send( Connection $connection, object $row ): bool {
		// The address is the shop owner's own setting, and may lie in his own network; an answer that leads elsewhere is not followed.
		$answer = wp_remote_post(
			$connection->hook,
			array(
				'headers'     => $connection->sign( $row->message_id, time(), $row->body ),
				'body'        => $row->body,
				'timeout'     => self::TIMEOUT,
				'redirection' => 0,
				'user-agent'  => 'Reprise-WooCommerce/' . VERSION,
			)
		);
		$status = is_wp_error( $answer ) ? 0 : (int) wp_remote_retrieve_response_code( $answer );
		if ( $status >= 200 && $status < 300 ) {
			self::done( $row );
			return true;
		}
		self::put_off( $row, $status );
		return false;
	}

	/** Only the row that was sent goes: a newer state may have taken its place meanwhile. */
	private static function done( object $row ): void {
		global $wpdb;
		$wpdb->delete( self::table(), array( 'subject' => $row->subject, 'message_id' => $row->message_id ), array( '%s', '%s' ) );
	}

	/** Half a minute, a minute, two, and so on up to twelve hours: about three days in all. */
	private static function put_off( object $row, int $status ): void {
		global $wpdb;
		$tries = (int) $row->tries + 1;
		if ( $tries >= self::LAST_TRY ) {
			self::log( "given up after $tries tries, the last answer was $status" );
			self::done( $row );
			return;
		}
		$wpdb->update(
			self::table(),
			array( 'tries' => $tries, 'due_at' => time() + min( self::LONGEST, 15 * 2 ** $tries ) ),
			array( 'subject' => $row->subject, 'message_id' => $row->message_id ),
			array( '%d', '%d' ),
			array( '%s', '%s' )
		);
	}

	private static function come_back(): void {
		global $wpdb;
		// phpcs:ignore WordPress.DB -- The table is ours.
		$next = $wpdb->get_var( 'SELECT MIN(due_at) FROM ' . self::table() );
		if ( null !== $next && function_exists( 'as_schedule_single_action' ) ) {
			as_unschedule_all_actions( self::BELL, array(), self::GROUP );
			as_schedule_single_action( max( time(), (int) $next ), self::BELL, array(), self::GROUP );
		}
	}

	private static function table(): string {
		global $wpdb;
		return $wpdb->prefix . 'reprise_outbox';
	}

	private static function log( string $words ): void {
		wc_get_logger()->error( $words, array( 'source' => 'reprise' ) );
	}
}
